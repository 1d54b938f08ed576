import { test } from "node:test";
import { drain } from "../../../scripts/simulated-toy.ts";
import { rootScope } from "../../async/task-scope.ts";
import { SimClock } from "../../sim/clock.ts";
import { Life } from "../../sim/life.ts";
import { Scheduler } from "../../sim/scheduler.ts";
import { storeContract } from "../contract.ts";
import { MemoryStore } from "./memory-store.ts";

const HISTORY_LIMIT = 20;

for (const { title, check } of storeContract) {
  test(title, async () => {
    const scheduler = new Scheduler({ seed: "1", drain });
    const clock = new SimClock(new Life(scheduler, "store", 0));
    const scope = rootScope("store", clock);
    const store = new MemoryStore({ clock, scope, historyLimit: HISTORY_LIMIT });
    const checked = check({
      store,
      pass: (durationMs) => clock.sleep(durationMs),
      compact: async () => {
        for (let n = 0; n < HISTORY_LIMIT; n++) await store.put("filler", new Uint8Array());
      },
    });
    await scheduler.run(checked);
    await scheduler.run(scope.end());
  });
}
