import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import type { Credentials, Proof } from "../world/credentials.ts";
import type { Handler, Hop, Message } from "../world/hops.ts";
import { X509Authority } from "../../fixtures/transport/certificate.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";
import type { PeerLimits } from "./peer-limits.ts";

const METHOD = "/test.Test/Call";
const empty: Message = { bytes: new Uint8Array(), metadata: {} };
const echo: Handler = {
  methods: [{ path: METHOD, kind: "call" }],
  call: async ({ bytes }) => ({ bytes, metadata: {} }),
  watch: () => assert.fail("there are no streams here"),
};
const mesh = new X509Authority("mesh");
const fixed = (proof: Proof): Credentials => ({ name: "test", announcement: "", current: () => proof });
const call = (hop: Hop): Promise<Message> => hop.call(METHOD, empty, { timeoutMs: 5_000 });

async function listener(t: TestContext, limits: Partial<PeerLimits>) {
  const path = join(await temporaryFolder(t), "a.sock");
  const { hops, log } = grpcHost(t, { limits });
  await hops.serve(`unix://${path}`, echo, fixed(mesh.issue("spiffe://mesh.test/far")));
  const dial = (id: string): Hop => grpcHost(t).hops.dial(`unix://${path}`, fixed(mesh.issue(id)));
  const warnings = (): readonly string[] => log.filter((line) => line.startsWith("peer "));
  return { path, dial, warnings };
}

test("a connection without a proof in time is closed, and others are served", async (t) => {
  const { path, dial, warnings } = await listener(t, { readTimeoutMs: 200 });
  const silent = connect(path);
  const closed = once(silent.resume(), "close");
  await call(dial("spiffe://mesh.test/near"));
  await closed;
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0] ?? "", /^peer unix: refused a connection: .*handshake timeout/i);
});

test("a peer without a certificate is refused with the reason, logged once", async (t) => {
  const { path, dial, warnings } = await listener(t, {});
  const { connect: connectTls } = await import("node:tls");
  for (let n = 0; n < 3; n++) {
    const bare = connectTls({ path, rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    bare.on("error", () => undefined);
    await once(bare.resume(), "close");
  }
  assert.equal(warnings().length, 1, warnings().join());
  await call(dial("spiffe://mesh.test/near"));
});

test("limits apply to the proven peer, over all its connections", async (t) => {
  const { dial, warnings } = await listener(t, { connections: 2 });
  const hops = Array.from({ length: 2 }, () => dial("spiffe://mesh.test/near"));
  for (const hop of hops) await call(hop);
  await assert.rejects(call(dial("spiffe://mesh.test/near")));
  await call(dial("spiffe://mesh.test/other"));
  for (const hop of hops) await call(hop);
  assert.match(
    warnings().join(),
    /^peer spiffe:\/\/mesh\.test\/near: refused a connection: it has 2 already/,
  );
});
