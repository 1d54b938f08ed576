/**
 * A host that is called by its name, and moves:
 *
 *   caller ──> tcp://far.example:PORT      /etc/hosts: 127.0.0.2, then 127.0.0.3
 *                                          a server at each, of which one runs
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { test, type TestContext } from "node:test";
import type { Handler } from "../world/hops.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";

const METHOD = "/test.Test/Call";
const skip = process.getuid?.() === 0 ? false : "needs root";

/** Answers every call with `text`. */
function saying(text: string): Handler {
  return {
    methods: [{ path: METHOD, kind: "call" }],
    call: async () => ({ bytes: new TextEncoder().encode(text), metadata: {} }),
    watch: () => assert.fail("there are no streams here"),
  };
}

/** A process that calls `url` once for each line of its input, with `hosts` as its /etc/hosts. */
function callerWith(t: TestContext, hosts: string, url: string): () => Promise<string> {
  const program = new URL("../../fixtures/transport/names.ts", import.meta.url).pathname;
  const bind = 'mount --bind "$1" /etc/hosts && exec "$2" "$3" "$4"';
  const child = spawn("unshare", ["-m", "sh", "-c", bind, "sh", hosts, process.execPath, program, url], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  t.after(async () => {
    child.kill();
    await once(child, "exit");
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return async () => {
    child.stdin.write("call\n");
    const line = await lines.next();
    return String(line.value);
  };
}

test("the name of a host is resolved again when its connection is gone", { skip }, async (t) => {
  const folder = await temporaryFolder(t);
  const hosts = join(folder, "hosts");
  const [first, second] = [grpcHost(t), grpcHost(t)];
  const port = 20_000 + (process.pid % 10_000);
  writeFileSync(hosts, "127.0.0.2 far.example\n");
  const stop = await first.hops.serve(`tcp://127.0.0.2:${port}`, saying("first"));
  await second.hops.serve(`tcp://127.0.0.3:${port}`, saying("second"));
  const call = callerWith(t, hosts, `tcp://far.example:${port}`);
  assert.deepEqual([await call(), await call()], ["first at 127.0.0.2", "first at 127.0.0.2"]);
  writeFileSync(hosts, "127.0.0.3 far.example\n");
  assert.equal(await call(), "first at 127.0.0.3", "a connection that works stays");
  await stop();
  let answer = await call();
  // The first calls may still find the connection broken.
  for (let n = 0; n < 100 && !answer.startsWith("second"); n++) answer = await call();
  assert.equal(answer, "second at 127.0.0.3");
  writeFileSync(hosts, "");
  assert.match(await call(), /^second at look up far\.example: /);
});
