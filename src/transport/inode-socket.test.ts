/** Sockets that are named by their inode, as upstream's programs name theirs. */
import assert from "node:assert/strict";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Hop } from "../world/hops.ts";
import { fileOf } from "../linux/libc/descriptor.ts";
import { OWN } from "../linux/machine/open-need.ts";
import { type GrpcHost, grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";

const METHOD = "/test.Where/Am";

/** It finds sockets by itself, as who has the privilege does. */
function hostOf(t: TestContext): GrpcHost {
  return grpcHost(t, { socketFile: (identity) => OWN.open({ type: "socket-file", identity }).then(fileOf) });
}

/** Serves in `folder` under a name of its own, and says that name to whoever calls. */
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

test("a socket is reached by the identity of its file for as long as somebody listens on it", async (t) => {
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

test("the next socket is reached, also if the file system would give it the inode of one that is still asked for", async (t) => {
  const folder = await temporaryFolder(t);
  const { hops } = hostOf(t);
  const first = await serve(t, { folder, name: "first.sock" });
  assert.equal(await ask(hops.dial(first.url)), "first.sock");
  await first.stop();
  const second = await serve(t, { folder, name: "second.sock" });
  await assert.rejects(ask(hops.dial(first.url)), { code: "UNAVAILABLE" });
  assert.equal(await ask(hops.dial(second.url)), "second.sock");
});

test("what is held leads to the socket that was there then, or to nobody", async (t) => {
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
