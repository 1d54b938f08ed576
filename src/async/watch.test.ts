import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { nodeClock } from "../transport/node-clock.ts";
import { StreamQueue } from "./stream-queue.ts";
import { rootScope } from "./task-scope.ts";
import { watchOf } from "./watch.ts";

/** A queue, and the number of times it was closed. */
function source() {
  let closes = 0;
  const queue = new StreamQueue<number>({
    limit: 10,
    onRoom: () => undefined,
    onClose: () => (closes += 1),
  });
  return { queue, closes: () => closes };
}

suite("a watch", () => {
  test("delivers its items in order and closes at its end", async () => {
    const { queue, closes } = source();
    for (const n of [1, 2, 3]) queue.push(n);
    queue.finish();
    assert.deepEqual(await queue.all(), [1, 2, 3]);
    assert.equal(closes(), 1);
  });

  test("closes when its loop breaks or throws", async () => {
    for (const leave of [false, true]) {
      const { queue, closes } = source();
      queue.push(1);
      const reading = (async () => {
        for await (const _ of queue) {
          if (leave) return;
          throw new Error("enough");
        }
      })();
      if (leave) await reading;
      else await assert.rejects(reading, /enough/);
      assert.equal(closes(), 1);
      assert.equal(await queue.take(), undefined);
    }
  });

  test("ends a loop that waits for an item when it is closed", async () => {
    const { queue } = source();
    const reading = queue.all();
    queue.close();
    assert.deepEqual(await reading, []);
  });

  test("throws its error in the loop and closes", async () => {
    const { queue, closes } = source();
    queue.push(1);
    queue.finish(new Error("broken"));
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const n of queue) seen.push(n);
    }, /broken/);
    assert.deepEqual([seen, closes()], [[1], 1]);
  });

  test("within a scope ends with the scope, without an error, and unregisters when the loop ends", async () => {
    const root = rootScope("test", nodeClock());
    const scope = root.child("reading");
    const { queue, closes } = source();
    const reading = (async () => {
      for await (const n of queue.within(scope)) assert.fail(String(n));
    })();
    await scope.end();
    await reading;
    assert.equal(closes(), 1);
    const other = source();
    other.queue.push(1);
    for await (const n of other.queue.within(root)) {
      assert.equal(n, 1);
      break;
    }
    assert.equal(other.closes(), 1);
    await root.end();
    assert.equal(other.closes(), 1);
  });

  test("maps item by item and drops items mapped to undefined", async () => {
    const left = [1, 2, 3, 4];
    const watch = watchOf({ take: () => Promise.resolve(left.shift()), close: () => void left.splice(0) });
    assert.deepEqual(await watch.map((n) => (n % 2 === 0 ? `n${n}` : undefined)).all(), ["n2", "n4"]);
  });
});
