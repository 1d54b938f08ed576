import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelEvent } from "../../kernel/kernel.ts";
import { KernelWatchers } from "./kernel-watchers.ts";

const event: KernelEvent = { type: "netns-removed", netns: "inode://4/1" };

test("every watch gets every event, whether it already waits or asks later", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const [first, second] = [watchers.watch(), watchers.watch()];
  const waiting = first.take();
  watchers.push(event);
  assert.deepEqual(await waiting, event);
  assert.deepEqual(await second.take(), event);
});

test("a pending take resolves with undefined when the watch closes", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const watch = watchers.watch();
  const waiting = watch.take();
  watch.close();
  assert.equal(await waiting, undefined);
  assert.equal(await watch.take(), undefined);
});

test("a watch that is not read loses its events and gets a resync", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const watch = watchers.watch();
  for (let n = 0; n < 10_001; n++) watchers.push(event);
  assert.equal((await watch.take())?.type, "resync");
  watchers.push(event);
  assert.deepEqual(await watch.take(), event);
});

test("every change of the common purpose of all watches is reported", () => {
  const told: unknown[] = [];
  const watchers = new KernelWatchers((purpose) => told.push(purpose));
  const [first, second] = [watchers.watch("namespaces"), watchers.watch("namespaces")];
  const [third, fourth] = [watchers.watch("links"), watchers.watch()];
  first.close();
  first.close();
  third.close();
  fourth.close();
  second.close();
  assert.deepEqual(told, ["namespaces", "links", "everything", "namespaces", undefined]);
});

test("a watch gets only the events of its purpose", async () => {
  const watchers = new KernelWatchers(() => undefined);
  const [some, links, all] = [watchers.watch("namespaces"), watchers.watch("links"), watchers.watch()];
  const link: KernelEvent = { type: "link", netns: "host", link: "a", change: "removed" };
  const route: KernelEvent = { type: "route", netns: "host" };
  for (const each of [route, link, event]) watchers.push(each);
  assert.deepEqual(await some.take(), event);
  assert.deepEqual(await links.take(), link);
  assert.deepEqual(await all.take(), route);
});
