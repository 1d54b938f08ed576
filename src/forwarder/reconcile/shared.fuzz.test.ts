/** Plans with shared objects come, change and go, over restarts and failures: the kernel holds exactly what some plan holds. */
import fc from "fast-check";
import { test } from "node:test";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { command, failures, SharingHost } from "../../../fixtures/forwarder/shared.ts";

test("the kernel holds exactly what the plans hold, whatever comes, goes, fails, or restarts", async () => {
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
