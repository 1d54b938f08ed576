/** Tokens, time-outs and refreshes: the lifetime of a connection. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { create, toJson } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { ConnectionSchema, PathSchema, type Connection } from "../../api/gen/nsm/connection_pb.js";
import { labIdentity } from "../../identity/lab-identity.ts";
import type { Identity } from "../../identity/identity.ts";
import { NetloomError } from "../../errors/errors.ts";
import { principalText } from "../../world/peer.ts";
import { peerNamed } from "../../../fixtures/world/peer.ts";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { refreshDelayMs, Refresher } from "./refresh.ts";
import { timeout } from "./timeout.ts";
import { updateOwnToken, updateToken } from "../path/update-token.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

const path = (expires?: number) =>
  create(PathSchema, {
    pathSegments: [{ name: "client", id: "c1", ...(expires && { expires: timestampFromMs(expires) }) }],
  });
const expiry = (connection: Connection | undefined, i: number): number => {
  const expires = connection?.path?.pathSegments[i]?.expires;
  return expires ? timestampMs(expires) : NaN;
};

test("a caller without a token sets its lifetime; a caller that repeats the last expiry gets the lifetime of the own token", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const chain = new Chain(world, [updateToken(labIdentity(world, 60_000))]);
  await worlds.run(async () => {
    const start = world.clock.wallMs();
    const first = await chain.request({ path: path(start + 5_000) });
    assert.deepEqual([expiry(first, 0), expiry(first, 1)], [start + 5_000, start + 60_000]);
    await world.clock.sleep(1_000);
    assert.equal(expiry(await chain.request({ path: path(start + 5_000) }), 0), start + 61_000, "repeated");
    assert.equal(expiry(await chain.request({ path: path() }), 0), start + 61_000, "nothing");
    assert.equal(expiry(await chain.request({ path: path(start - 5_000) }), 0), start + 61_000, "the past");
    assert.equal(expiry(await chain.request({ path: path(start + 1e12) }), 0), start + 1_000 + 86_400_000);
  });
});

test("a token in the metadata replaces the token in the path, and the rules see the path up to this process on request and close", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const asked: string[] = [];
  const expiresAtMs = world.clock.wallMs() + 1_000;
  const identity: Identity = {
    ...labIdentity(world),
    tokenOf: ({ token = "" }) => ({ text: token, expiresAtMs }),
    vouch: ({ connection }) => ({ token: `own for ${connection}` }),
    authorize: ({ principal, context: { path } }) => {
      const tokens = path?.pathSegments.map(({ token }) => token) ?? [];
      asked.push(`${principalText(principal)} ${tokens.join(",")}`);
      return tokens[0] === "bad"
        ? { rule: "test", code: "PERMISSION_DENIED", reason: "no sufficient privileges" }
        : undefined;
    },
  };
  const chain = new Chain(world, [updateToken(identity)], { identity });
  await worlds.run(async () => {
    const caller = (token: string) => ({ ...chain.caller(), metadata: { token } });
    const answer = await chain.request({}, { caller: caller("t1") });
    assert.equal(expiry(answer, 0), expiresAtMs);
    assert.deepEqual(chain.calls[0]?.vouch?.(peerNamed("tcp:9")), { token: "own for tcp:9" });
    await assert.rejects(chain.close(answer, caller("bad")), { code: "PERMISSION_DENIED" });
    assert.deepEqual(asked, ["unix:1000 t1,", "unix:1000 bad,"]);
  });
});

test("in plaintext the expiry in the metadata sets a caller's lifetime, and an impossible expiry is refused", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const chain = new Chain(world, [updateToken(labIdentity(world)), timeout()]);
  await worlds.run(async () => {
    const { clock } = world;
    const saying = (expires: string) => ({
      ...chain.caller({ timeoutMs: 500 }),
      metadata: { "nsm-client-token": "t", "nsm-client-token-expires": expires },
    });
    const inMs = (ms: number): string => toJson(TimestampSchema, timestampFromMs(clock.wallMs() + ms));
    const answer = await chain.request({}, { caller: saying(inMs(1_000)) });
    assert.equal(expiry(answer, 0), clock.wallMs() + 1_000);
    await clock.sleep(1_000);
    assert.equal(chain.closes.length, 1);
    const refused = (expires: string, message: RegExp) =>
      assert.rejects(chain.request({}, { caller: saying(expires) }), { code: "INVALID_ARGUMENT", message });
    await refused(inMs(-3_000), /the token of its caller expired 3 s ago/);
    await refused("1700000000", /"1700000000" is not a time as RFC 3339 writes it/);
    const long = await chain.request({}, { caller: saying("2999-01-01T00:00:00.123456789+02:00") });
    assert.equal(expiry(long, 0), clock.wallMs() + 86_400_000, "the answer has the valid expiry");
    await chain.close(long, saying(inMs(-3_000)));
    assert.deepEqual(chain.door.established(), [], "a close is accepted anyway");
  });
});

test("a connection is closed as lost when its caller's token expires, less the time of a request", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const chain = new Chain(world, [timeout()]);
  await worlds.run(async () => {
    const start = world.clock.wallMs();
    await chain.request({ path: path(start + 60_000) }, { caller: chain.caller({ timeoutMs: 15_000 }) });
    await world.clock.sleep(44_999);
    assert.equal(chain.closes.length, 0);
    await world.clock.sleep(2);
    assert.equal(chain.closes.length, 1);
    assert.equal(chain.calls.at(-1)?.reason, "lost");
  });
});

test("a refresh before the time-out prevents the close, even if it is still running when the token expires", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const chain = new Chain(world, [timeout()]);
  await worlds.run(async () => {
    const start = world.clock.wallMs();
    const caller = () => chain.caller({ timeoutMs: 1_000 });
    const first = await chain.request({ path: path(start + 11_000) }, { caller: caller() });
    await world.clock.sleep(9_990);
    chain.answer = () => world.clock.sleep(500);
    first.path = create(PathSchema, first.path);
    Object.assign(first.path.pathSegments[0] ?? {}, { expires: timestampFromMs(start + 60_000) });
    await chain.request(first, { caller: caller() });
    await world.clock.sleep(40_000);
    assert.equal(chain.closes.length, 0);
    await chain.close(first);
    await world.clock.sleep(40_000);
    assert.equal(chain.closes.length, 1, "a close stops the clock");
  });
});

test("a caller without any expiry is refused with upstream's text", async () => {
  const worlds = new Worlds();
  const chain = new Chain(worlds.world("alpha"), [timeout()]);
  await worlds.run(() =>
    assert.rejects(chain.request(), {
      code: "FAILED_PRECONDITION",
      message: /expiration for the previous path segment cannot be nil$/,
    }),
  );
});

test("the next refresh is due after a fraction of the shortest lifetime that depends on the place in the path", () => {
  const at = (index: number, ...expires: number[]) =>
    refreshDelayMs(
      create(ConnectionSchema, {
        path: { index, pathSegments: expires.map((each) => ({ expires: timestampFromMs(each) })) },
      }),
      1_000,
    );
  assert.equal(at(0, 31_000), 10_000);
  assert.equal(at(0, 601_000, 101_000), 20_000);
  assert.equal(Math.round(at(2, 101_000, 601_000, 601_000, 601_000) ?? 0), 30_000);
  assert.equal(at(0, 1_100, 601_000), 200, "never at once");
  assert.equal(at(0, 500), 200, "the only one is over");
  assert.equal(at(0, 601_000, 500), 120_000, "the clock of the other host is wrong");
  assert.equal(at(0), undefined);
});

test("refreshes continue, are retried with growing pauses after failures, and end with the close", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const chain = new Chain(world, [updateOwnToken(labIdentity(world, 30_000)), new Refresher().element()], {
    isFirst: true,
  });
  await worlds.run(async () => {
    const answer = await chain.request({ path: create(PathSchema) });
    await world.clock.sleep(100_000);
    assert.ok(chain.requests.length >= 10 && chain.requests.length <= 13, `${chain.requests.length}`);
    const before = chain.requests.length;
    chain.answer = () => {
      throw new NetloomError("UNAVAILABLE", "gone");
    };
    await world.clock.sleep(60_000);
    const tries = chain.requests.length - before;
    assert.ok(tries >= 8 && tries <= 16, `${tries} tries in a minute`);
    chain.answer = () => undefined;
    await world.clock.sleep(11_000);
    await chain.close(answer);
    const after = chain.requests.length;
    await world.clock.sleep(100_000);
    assert.equal(chain.requests.length, after);
  });
});
