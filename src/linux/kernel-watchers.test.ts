import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelEvent } from "../world/kernel.ts";
import { KernelWatchers } from "./kernel-watchers.ts";

const event: KernelEvent = { type: "netns-removed", netns: "inode://4/1" };

test("every watch gets every event, whether it waits already or asks later", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const [first, second] = [watchers.watch(), watchers.watch()];
  const waiting = first.next();
  watchers.push(event);
  assert.deepEqual(await waiting, event);
  assert.deepEqual(await second.next(), event);
});

test("who waits is answered with nothing when the watch closes", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const watch = watchers.watch();
  const waiting = watch.next();
  watch.close();
  assert.equal(await waiting, undefined);
  assert.equal(await watch.next(), undefined);
});

test("a watch that is not read loses its events and is told so", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const watch = watchers.watch();
  for (let n = 0; n < 10_001; n++) watchers.push(event);
  assert.equal((await watch.next())?.type, "resync");
  watchers.push(event);
  assert.deepEqual(await watch.next(), event);
});

test("the first watch and the end of the last one are told", () => {
  const told: boolean[] = [];
  const watchers = new KernelWatchers((isWatched) => told.push(isWatched));
  const [first, second] = [watchers.watch(), watchers.watch()];
  first.close();
  first.close();
  second.close();
  assert.deepEqual(told, [true, false]);
});
