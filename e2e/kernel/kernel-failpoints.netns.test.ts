/** On the kernel of this machine a wire survives any failure of its operations, and leaves nothing. */
import { test } from "node:test";
import { SLOWNESS } from "../../fixtures/async/slowness.ts";
import { needs } from "../../fixtures/linux/features.ts";
import { failpointCases } from "./kernel-failpoints.ts";
import { linuxHarness } from "./linux-harness.ts";

for (const each of failpointCases)
  test(each.title, { skip: needs(...(each.needs ?? [])), timeout: 300_000 * SLOWNESS }, async (t) =>
    each.run(await linuxHarness(t)),
  );
