/** Plans that share objects come, change and go, over restarts and failures: what is there is what somebody holds. */
import fc from "fast-check";
import { test } from "node:test";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { command, failures, SharingHost } from "../../../fixtures/forwarder/shared.ts";

test("what is there is what somebody holds, whatever comes, goes, fails, or starts again", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(command, { minLength: 1, maxLength: 12 }),
      failures,
      async (commands, planned) => {
        let nowMs = 0;
        const sleep = (durationMs: number): Promise<void> => {
          nowMs += Math.max(0, durationMs);
          return Promise.resolve();
        };
        const clock = { wallMs: () => nowMs, monotonicMs: () => nowMs, sleep };
        const machine = new SimMachine({ clock });
        const host = new SharingHost(machine.kernel(), machine.createNetns("/run/netns/a"), planned);
        for (const step of commands) {
          await host.do(step);
          await host.holdsExactly(JSON.stringify(step));
        }
      },
    ),
    { numRuns: 400 },
  );
});
