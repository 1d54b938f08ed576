import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { drain } from "../../fixtures/sim/simulate.ts";
import { SimClock } from "../sim/clock.ts";
import { Life } from "../sim/life.ts";
import { Scheduler } from "../sim/scheduler.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "./scope.ts";
import type { Clock } from "./clock.ts";
import { race, rootScope } from "./task-scope.ts";

interface Setting {
  readonly scope: Scope;
  readonly clock: Clock;
  readonly log: string[];
}

/** Runs `body` in virtual time and returns what it logged. */
async function inScope(body: (setting: Setting) => Promise<void>): Promise<string[]> {
  const scheduler = new Scheduler({ seed: "1", drain });
  const clock = new SimClock(new Life(scheduler, "alpha", 0));
  const log: string[] = [];
  await scheduler.run(body({ scope: rootScope("root", clock), clock, log }));
  return log;
}

suite("tasks of a scope (R3)", () => {
  test("end cancels the tasks, waits for them, and then runs the deferred actions in reverse", async () => {
    const log = await inScope(async ({ scope, clock, log }) => {
      scope.defer(() => void log.push("first deferred"));
      scope.defer(() => void log.push("second deferred"));
      scope.spawn("sleeper", async (task) => {
        try {
          await clock.sleep(1000, task);
        } catch (error) {
          assert.ok(error instanceof NetloomError && error.code === "CANCELLED");
          await clock.sleep(5);
          log.push("task is over");
          throw error;
        }
      });
      await clock.sleep(1);
      await scope.end();
      log.push(`ended at ${clock.monotonicMs()}`);
    });
    assert.deepEqual(log, ["task is over", "second deferred", "first deferred", "ended at 6"]);
  });

  test("an error of a task ends the scope, and end rejects with it", async () => {
    await inScope(async ({ scope, clock, log }) => {
      scope.spawn("neighbour", (task) => clock.sleep(1000, task));
      scope.spawn("failing", async () => {
        await clock.sleep(2);
        throw new Error("out of luck");
      });
      scope.onEnd(() => void log.push("began to end"));
      await scope.done;
      assert.equal(clock.monotonicMs(), 2);
      assert.deepEqual(log, ["began to end"]);
      await assert.rejects(scope.end(), /out of luck/);
      await assert.rejects(scope.end(), /out of luck/, "also the second time");
    });
  });

  test("CANCELLED from a task of a scope that has not ended is an error", async () => {
    await inScope(async ({ scope }) => {
      scope.spawn("failing", async () => {
        throw new NetloomError("CANCELLED", "by somebody else");
      });
      await scope.done;
      await assert.rejects(scope.end(), /somebody else/);
    });
  });

  test("end of the parent rejects with the error of a child that nobody ended", async () => {
    await inScope(async ({ scope, clock }) => {
      scope.child("child").spawn("failing", async () => {
        throw new Error("out of luck");
      });
      await clock.sleep(1);
      assert.equal(scope.ended, false);
      await assert.rejects(scope.end(), /out of luck/);
    });
  });
});

suite("deadlines and cancellation (R9)", () => {
  test("a child with a timeout ends by itself and cancels its sleeps at that time", async () => {
    await inScope(async ({ scope, clock }) => {
      const child = scope.child("child", { timeoutMs: 10 });
      assert.equal(child.deadlineMs, 10);
      assert.equal(child.child("inner", { timeoutMs: 50 }).deadlineMs, 10, "the earliest counts");
      await assert.rejects(clock.sleep(100, child), { code: "CANCELLED" });
      assert.deepEqual([clock.monotonicMs(), child.ended, scope.ended], [10, true, false]);
      await child.end();
    });
  });

  test("the scope of a task ends with the task and cancels the tasks it has spawned", async () => {
    const log = await inScope(async ({ scope, clock, log }) => {
      scope.spawn("outer", async (task) => {
        task.spawn("inner", (inner) => clock.sleep(1000, inner));
        await clock.sleep(1);
        log.push(...scope.running);
      });
      await clock.sleep(2);
      log.push(`${scope.running.length} running`);
      await scope.end();
    });
    assert.deepEqual(log, ["outer", "outer/inner", "0 running"]);
  });

  test("an ended scope starts no task and calls onEnd at once", async () => {
    await inScope(async ({ scope, log }) => {
      const takeBack = scope.onEnd(() => void log.push("never"));
      takeBack();
      await scope.end();
      scope.onEnd(() => void log.push("at once"));
      assert.deepEqual(log, ["at once"]);
      assert.throws(() => scope.spawn("late", async () => undefined), { code: "CANCELLED" });
    });
  });

  test("race settles with the first promise and drops the error of a loser", async () => {
    await inScope(async ({ scope, clock }) => {
      const losers = scope.child("losers");
      const slow = clock.sleep(100, losers).then(() => "slow");
      const fast = clock.sleep(1).then(() => "fast");
      assert.equal(await race([slow, fast]), "fast");
      await losers.end();
    });
  });
});
