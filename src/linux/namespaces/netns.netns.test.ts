import assert from "node:assert/strict";
import { test } from "node:test";
import { Worker } from "node:worker_threads";
import { needsRoot, netnsFixture, strayThreads } from "../../../fixtures/linux/netns.ts";
import { openPath, runIn } from "./netns.ts";

/** Runs lines of code in a new thread, with `enter(path, action)`, and returns the result that they post. */
async function onWorker(lines: string): Promise<unknown> {
  const code = `
    const { parentPort } = require("node:worker_threads");
    const { readlinkSync } = require("node:fs");
    const here = () => readlinkSync("/proc/thread-self/ns/net");
    import(${JSON.stringify(new URL("./netns.ts", import.meta.url).href)}).then(({ openPath, runIn }) => {
      const enter = (path, action) => {
        const netns = openPath(path);
        try { return runIn(netns.fd, action); } finally { netns.close(); }
      };
      const attempt = (action) => { try { return action(); } catch (error) { return error.message; } };
      ${lines}
    });`;
  const worker = new Worker(code, { eval: true, trackUnmanagedFds: false });
  const ended = new Promise((resolve) => {
    worker.once("exit", resolve);
  });
  const answer = await new Promise((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
  });
  await ended;
  return answer;
}

test(
  "a function runs inside a namespace, and the thread returns afterwards, even after an error",
  { skip: needsRoot },
  async (t) => {
    const net = await netnsFixture(t);
    const path = JSON.stringify((await net.netns()).slice("file://".length));
    const [before, inside, failed, after] = (await onWorker(`parentPort.postMessage([
    here(),
    enter(${path}, here),
    attempt(() => enter(${path}, () => { throw new Error("oh") })),
    here(),
  ])`)) as string[];
    assert.notEqual(inside, before);
    assert.equal(failed, "oh");
    assert.equal(after, before);
  },
);

test("asynchronous actions and nested entries are refused", { skip: needsRoot }, async (t) => {
  const net = await netnsFixture(t);
  const path = JSON.stringify((await net.netns()).slice("file://".length));
  const [promise, nested, after] = (await onWorker(`const home = here(); parentPort.postMessage([
    attempt(() => enter(${path}, async () => 1)),
    attempt(() => enter(${path}, () => enter(${path}, here))),
    here() === home,
  ])`)) as [string, string, boolean];
  assert.equal(promise, "what runs inside of a namespace must be synchronous");
  assert.equal(nested, "a namespace is entered inside of another");
  assert.ok(after);
  assert.deepEqual(strayThreads(), []);
});

test("the main thread never enters a namespace", { skip: needsRoot }, () => {
  const own = openPath("/proc/self/ns/net");
  try {
    assert.throws(() => runIn(own.fd, () => undefined), /only the kernel worker enters namespaces/);
  } finally {
    own.close();
  }
});
