/** On the kernel of this machine a wire survives any failure of its operations, and leaves nothing. */
import { test } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { failpointCases } from "./kernel-failpoints.ts";
import { linuxHarness } from "./linux-harness.ts";

for (const each of failpointCases)
  test(each.title, { skip: needsRoot, timeout: 300_000 }, async (t) => each.run(await linuxHarness(t)));
