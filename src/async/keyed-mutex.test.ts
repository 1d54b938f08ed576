import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyedMutex } from "./keyed-mutex.ts";

/** A task that logs its start and its end, and ends when told. */
function task(log: string[], name: string): { run: () => Promise<void>; end: () => void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return {
    run: async () => {
      log.push(`${name} begins`);
      await promise;
      log.push(`${name} ends`);
    },
    end: resolve,
  };
}

test("tasks with the same key run in the order of their calls, and tasks with different keys run at once", async () => {
  const turns = new KeyedMutex<string>();
  const log: string[] = [];
  const [first, second, other] = [task(log, "first"), task(log, "second"), task(log, "other")];
  const done = [
    turns.take(["a", "b"], first.run),
    turns.take(["b", "c"], second.run),
    turns.take(["d"], other.run),
  ];
  second.end();
  other.end();
  await done[2];
  assert.deepEqual(log, ["first begins", "other begins", "other ends"]);
  first.end();
  await Promise.all(done);
  assert.deepEqual(log.slice(3), ["first ends", "second begins", "second ends"]);
});

test("a failing task lets the next one run", async () => {
  const turns = new KeyedMutex<string>();
  await assert.rejects(
    turns.take(["a"], () => Promise.reject(new Error("no"))),
    /no/,
  );
  assert.equal(await turns.take(["a"], () => Promise.resolve(1)), 1);
});

test("tasks that share a key run side by side, after an earlier task that took it and before a later one", async () => {
  const turns = new KeyedMutex<string>();
  const log: string[] = [];
  const [first, second, third, fourth] = ["first", "second", "third", "fourth"].map((name) =>
    task(log, name),
  );
  assert.ok(first && second && third && fourth);
  const done = [
    turns.take(["a"], first.run),
    turns.share(["a"], second.run),
    turns.share(["a", "b"], third.run),
    turns.take(["a"], fourth.run),
  ];
  for (const each of [fourth, third, first]) each.end();
  await done[2];
  assert.deepEqual(log, ["first begins", "first ends", "second begins", "third begins", "third ends"]);
  second.end();
  await Promise.all(done);
  assert.deepEqual(log.slice(5), ["second ends", "fourth begins", "fourth ends"]);
});
