import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelEvent } from "../world/kernel.ts";
import { EventQueue } from "./event-queue.ts";

const event: KernelEvent = { type: "netns-removed", netns: "inode://4/1" };

test("every watch gets every event, whether it waits already or asks later", async () => {
  const queue = new EventQueue(() => undefined);
  const [first, second] = [queue.watch(), queue.watch()];
  const waiting = first.next();
  queue.push(event);
  assert.deepEqual(await waiting, event);
  assert.deepEqual(await second.next(), event);
});

test("who waits is answered with nothing when the watch closes", async () => {
  const queue = new EventQueue(() => undefined);
  const watch = queue.watch();
  const waiting = watch.next();
  watch.close();
  assert.equal(await waiting, undefined);
  assert.equal(await watch.next(), undefined);
});

test("a watch that is not read loses its events and is told so", async () => {
  const queue = new EventQueue(() => undefined);
  const watch = queue.watch();
  for (let n = 0; n < 10_001; n++) queue.push(event);
  assert.equal((await watch.next())?.type, "resync");
  queue.push(event);
  assert.deepEqual(await watch.next(), event);
});

test("the first watch and the end of the last one are told", () => {
  const told: boolean[] = [];
  const queue = new EventQueue((isWatched) => told.push(isWatched));
  const [first, second] = [queue.watch(), queue.watch()];
  first.close();
  first.close();
  second.close();
  assert.deepEqual(told, [true, false]);
});
