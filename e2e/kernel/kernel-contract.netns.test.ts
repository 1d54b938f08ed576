/** The kernel of this machine keeps the contract. */
import { test } from "node:test";
import { needs } from "../../fixtures/linux/features.ts";
import { kernelContract } from "./kernel-contract.ts";
import { linuxHarness } from "./linux-harness.ts";

for (const each of kernelContract)
  test(each.title, { skip: needs(...(each.needs ?? [])) }, async (t) => each.run(await linuxHarness(t)));
