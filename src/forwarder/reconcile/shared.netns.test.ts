/** The test of shared.fuzz.test.ts on the kernel of this machine, a few times. */
import fc from "fast-check";
import { test } from "node:test";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { command, failures, SharingHost } from "../../../fixtures/forwarder/shared.ts";

test("the real kernel holds exactly what the plans hold", { skip: needsRoot }, async (t) => {
  const net = await netnsFixture(t);
  const sequences = fc.tuple(fc.array(command, { minLength: 6, maxLength: 10 }), failures);
  for (const [commands, planned] of fc.sample(sequences, { seed: 7, numRuns: 8 })) {
    const host = new SharingHost(await net.kernel(), await net.netns(), planned);
    for (const step of commands) {
      await host.do(step);
      await host.holdsExactly(JSON.stringify(step));
    }
  }
});
