import assert from "node:assert/strict";
import { test } from "node:test";
import { Worlds } from "../../fixtures/elements/world.ts";
import { Semaphore } from "./semaphore.ts";

test("a semaphore lets a fixed number of tasks run at once, in order of arrival", async () => {
  const worlds = new Worlds();
  const { scope, clock } = worlds.world("alpha");
  const turnstile = new Semaphore(2);
  const begun: string[] = [];
  await worlds.run(async () => {
    const pass = (name: string): Promise<void> =>
      turnstile.pass(scope, async () => {
        begun.push(`${clock.monotonicMs()} ${name}`);
        await clock.sleep(10, scope);
      });
    await Promise.all(["a", "b", "c", "d"].map(pass));
  });
  assert.deepEqual(begun, ["0 a", "0 b", "10 c", "10 d"]);
});

test("a task whose scope ends leaves the queue at once and uses up no turn", async () => {
  const worlds = new Worlds();
  const { scope, clock } = worlds.world("alpha");
  const turnstile = new Semaphore(1);
  await worlds.run(async () => {
    const stuck = turnstile.pass(scope, () => clock.sleep(15_000, scope));
    const impatient = scope.child("impatient", { timeoutMs: 100 });
    const refused = assert.rejects(
      turnstile.pass(impatient, () => assert.fail("it has ended")),
      { code: "CANCELLED" },
    );
    const next = turnstile.pass(scope, () => Promise.resolve(clock.monotonicMs()));
    await refused;
    assert.equal(clock.monotonicMs(), 100);
    await stuck;
    assert.equal(await next, 15_000);
    const ended = scope.child("ended");
    await ended.end();
    await assert.rejects(
      turnstile.pass(ended, () => assert.fail("it has ended")),
      { code: "CANCELLED" },
    );
    assert.equal(await turnstile.pass(scope, () => Promise.resolve(clock.monotonicMs())), 15_000);
    await impatient.end();
  });
});
