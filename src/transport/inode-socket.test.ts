/** Sockets named by their inode, as upstream's programs name theirs. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Hop } from "../world/hops.ts";
import { fileOf } from "../linux/libc/descriptor.ts";
import { OWN } from "../linux/machine/open-need.ts";
import { type GrpcHost, grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";

const METHOD = "/test.Where/Am";

/** Finds sockets by itself, like a process with the privilege. */
function hostOf(t: TestContext): GrpcHost {
  return grpcHost(t, { socketFile: (identity) => OWN.open({ type: "socket-file", identity }).then(fileOf) });
}

/** Serves in `folder` under its own name, and answers with that name. */
async function serve(
  t: TestContext,
  { folder, name }: { readonly folder: string; readonly name: string },
): Promise<{ readonly url: string; readonly stop: () => Promise<void> }> {
  const path = join(folder, name);
  const stop = await hostOf(t).hops.serve(`unix://${path}`, {
    methods: [{ path: METHOD, kind: "call" }],
    call: async () => ({ bytes: Buffer.from(name), metadata: {} }),
    watch: () => assert.fail("nothing is watched"),
  });
  const { dev, ino } = statSync(path, { bigint: true });
  return { url: `inode://${dev}/${ino}`, stop };
}

async function ask(hop: Hop): Promise<string> {
  const { bytes } = await hop.call(METHOD, { bytes: new Uint8Array(), metadata: {} }, { timeoutMs: 10_000 });
  return Buffer.from(bytes).toString();
}

test("a socket is reached by the identity of its file as long as a process listens on it", async (t) => {
  const folder = await temporaryFolder(t);
  const { hops } = hostOf(t);
  const served = await serve(t, { folder, name: "a b.sock" });
  const hop = hops.dial(served.url);
  assert.equal(await ask(hop), "a b.sock");
  await served.stop();
  await assert.rejects(ask(hop), { code: "UNAVAILABLE" });
  await assert.rejects(ask(hostOf(t).hops.dial(served.url)), {
    code: "UNAVAILABLE",
    message: /no process of this host listens on that file/,
  });
  await assert.rejects(hops.hold("inode://1/1"), { code: "UNAVAILABLE" });
});

test("the next socket is reached, even if the file system would reuse the inode of one that is still in use", async (t) => {
  const folder = await temporaryFolder(t);
  const { hops } = hostOf(t);
  const first = await serve(t, { folder, name: "first.sock" });
  assert.equal(await ask(hops.dial(first.url)), "first.sock");
  await first.stop();
  const second = await serve(t, { folder, name: "second.sock" });
  await assert.rejects(ask(hops.dial(first.url)), { code: "UNAVAILABLE" });
  assert.equal(await ask(hops.dial(second.url)), "second.sock");
});

test("a held file leads to the socket that was there at the time, or to none", async (t) => {
  const folder = await temporaryFolder(t);
  const { hops } = hostOf(t);
  const first = await serve(t, { folder, name: "first.sock" });
  const release = await hops.hold(first.url);
  await first.stop();
  const second = await serve(t, { folder, name: "second.sock" });
  assert.notEqual(second.url, first.url);
  await assert.rejects(ask(hops.dial(first.url)), { code: "UNAVAILABLE" });
  assert.equal(await ask(hops.dial(second.url)), "second.sock");
  release();
});
