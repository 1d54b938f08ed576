/** The kernel of this machine passes the contract. */
import { after, test } from "node:test";
import { needs } from "../../fixtures/linux/features.ts";
import { LinuxMachine } from "../../src/linux/machine/machine.ts";
import { kernelContract } from "./kernel-contract.ts";
import { linuxHarness } from "./linux-harness.ts";

const machine = await LinuxMachine.open();
after(() => machine.close());

for (const each of kernelContract)
  test(each.title, { skip: needs(...(each.needs ?? [])) }, async (t) =>
    each.run(await linuxHarness(t, machine)),
  );
