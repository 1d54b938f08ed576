/** Attacks over raw HTTP/2 on a listener, beside an honest caller who comes another way. */
import assert from "node:assert/strict";
import { status } from "@grpc/grpc-js";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { type Watch, watchOf } from "../async/watch.ts";
import type { Handler, Hop, IncomingMessage, Message } from "../world/hops.ts";
import { isLocal } from "../world/peer.ts";
import { attacker, begun, framed, freePort, open, outcome, reset } from "../../fixtures/transport/attack.ts";
import { grpcHost, temporaryFolder } from "../../fixtures/transport/grpc.ts";
import { PacedSocket } from "./paced-socket.ts";
import type { PeerLimits } from "./peer-limits.ts";
import { spin } from "../../fixtures/async/until.ts";

const CALL = "/test.Test/Call";
const WATCH = "/test.Test/Watch";
const EMPTY: Message = { bytes: new Uint8Array(), metadata: {} };

interface Target {
  readonly url: string;
  readonly log: readonly string[];
  /** An honest caller, who is served whatever the attacker does. */
  readonly other: Hop;
  readonly ask: () => Promise<Message>;
}

/** One handler, listening for the attacker on TCP and for the honest caller on a socket. */
async function target(
  t: TestContext,
  limits: Partial<PeerLimits>,
  call: Handler["call"] = async ({ bytes }) => ({ bytes, metadata: {} }),
): Promise<Target> {
  const { hops, log } = grpcHost(t, { limits });
  const handler: Handler = {
    methods: [
      { path: CALL, kind: "call" },
      { path: WATCH, kind: "watch" },
    ],
    call,
    watch: forever,
  };
  const url = `tcp://127.0.0.1:${await freePort()}`;
  const near = `unix://${join(await temporaryFolder(t), "a.sock")}`;
  for (const each of [url, near]) await hops.serve(each, handler);
  const other = hops.dial(near);
  return { url, log, other, ask: () => other.call(CALL, EMPTY, { timeoutMs: 30_000 }) };
}

function forever({ scope }: IncomingMessage): Watch<Uint8Array> {
  let end: () => void = () => undefined;
  const ended = new Promise<undefined>((resolve) => (end = () => resolve(undefined)));
  scope.onEnd(end);
  return watchOf<never>({ take: () => ended, close: () => end() });
}

const warnings = (log: readonly string[]): readonly string[] =>
  log.filter((line) => line.startsWith("peer "));

suite("unfinished requests", () => {
  test("are ended, and so are connections that never send a frame", async (t) => {
    const { url, log, ask } = await target(t, { readTimeoutMs: 200 });
    const silent = connect(Number(url.split(":").at(-1)), "127.0.0.1");
    const closed = once(silent.resume(), "close");
    const session = attacker(t, url);
    const bare = open(session, CALL);
    const half = open(session, CALL);
    half.write(framed(new Uint8Array(100), 4_000_000));
    const unknown = open(session, "/nobody.Has/This");
    const dialogue = open(session, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
    const ends = await Promise.all([unknown, bare, half, dialogue].map(outcome));
    assert.equal(ends.shift()?.code, status.UNIMPLEMENTED);
    for (const { code, text } of ends) {
      assert.equal(code, status.DEADLINE_EXCEEDED);
      assert.match(text, /the request has not come to its end within 0.2 s/);
    }
    await closed;
    await ask();
    assert.equal(warnings(log).filter((line) => line.includes(CALL)).length, 1, "said once");
  });

  test("hold no more bytes than a peer may, over all its connections", async (t) => {
    const { url, ask, log } = await target(t, { unfinishedBytes: 1_000_000 });
    const first = open(attacker(t, url), CALL);
    first.write(framed(new Uint8Array(600_000), 600_001));
    const session = attacker(t, url);
    const second = open(session, CALL);
    second.write(framed(new Uint8Array(600_000), 600_001));
    const loser = await Promise.race(
      [first, second].map(async (each) => ({ each, end: await outcome(each) })),
    );
    assert.equal(loser.end.code, status.RESOURCE_EXHAUSTED);
    assert.match(loser.end.text, /too much of this peer's requests has come without their ends/);
    await ask();
    // The other caller still has its place, and what has ended makes room.
    const rest = loser.each === first ? second : first;
    rest.end(new Uint8Array(1));
    assert.equal((await outcome(rest)).code, status.OK);
    const third = open(session, CALL);
    third.end(framed(new Uint8Array(900_000)));
    assert.equal((await outcome(third)).code, status.OK);
    assert.equal(warnings(log).length, 1);
  });
});

suite("a peer has a limited number of", () => {
  test("streams, over all its connections, and room for calls beside them", async (t) => {
    const { url, log, other, ask } = await target(t, { watches: 5 });
    const sessions = [attacker(t, url), attacker(t, url)];
    const watching = Array.from({ length: 5 }, (_, i) =>
      open(sessions[i % 2] ?? assert.fail(), WATCH).end(framed(EMPTY.bytes)),
    );
    await Promise.all(watching.map(begun));
    for (let i = 0; i < 100; i++) {
      const { code, text } = await outcome(
        open(sessions[i % 2] ?? assert.fail(), WATCH).end(framed(EMPTY.bytes)),
      );
      assert.equal(code, status.RESOURCE_EXHAUSTED);
      assert.match(text, /this peer has 5 streams open here, as many as are allowed/);
    }
    assert.equal(warnings(log).length, 1);
    assert.match(warnings(log)[0] ?? "", /^peer tcp:127\.0\.0\.1: refused \/test\.Test\/Watch: /);
    const call = open(sessions[0] ?? assert.fail(), CALL).end(framed(EMPTY.bytes));
    assert.equal((await outcome(call)).code, status.OK);
    await ask();
    other.watch(WATCH, EMPTY).close();
    const [gone] = watching;
    if (gone) reset(gone);
    // The place is free when the reset arrives: anything sent after it comes later.
    assert.equal(
      (await outcome(open(sessions[0] ?? assert.fail(), CALL).end(framed(EMPTY.bytes)))).code,
      status.OK,
    );
    await begun(open(sessions[0] ?? assert.fail(), WATCH).end(framed(EMPTY.bytes)));
  });

  test("running calls", async (t) => {
    const { url, ask } = await target(t, { streams: 3 }, async ({ peer, scope, ...message }) => {
      if (!isLocal(peer)) await new Promise<void>((resolve) => scope.onEnd(resolve));
      return message;
    });
    const session = attacker(t, url);
    const calls = Array.from({ length: 4 }, () => open(session, CALL).end(framed(EMPTY.bytes)));
    const last = calls.at(-1) ?? assert.fail();
    const { code, text } = await outcome(last);
    assert.equal(code, status.RESOURCE_EXHAUSTED);
    assert.match(text, /this peer has 3 calls under way here, as many as are allowed/);
    await ask();
  });

  test("connections", async (t) => {
    const { url, ask, log } = await target(t, { connections: 3 });
    const sessions = Array.from({ length: 3 }, () => attacker(t, url));
    for (const session of sessions)
      assert.equal((await outcome(open(session, CALL).end(framed(EMPTY.bytes)))).code, status.OK);
    for (let i = 0; i < 20; i++)
      assert.equal((await outcome(open(attacker(t, url), CALL).end(framed(EMPTY.bytes)))).code, undefined);
    await ask();
    assert.equal(warnings(log).length, 1);
    const closed = once(sessions[0] ?? assert.fail(), "close");
    sessions[0]?.close();
    await closed;
    for (let code: number | undefined; code !== status.OK;)
      ({ code } = await outcome(open(attacker(t, url), CALL).end(framed(EMPTY.bytes))));
  });
});

suite("a peer that keeps the process busy", () => {
  test("waits for its share, and another peer is served first", async (t) => {
    let done = 0;
    const { url, ask } = await target(t, { share: 0.4, burstMs: 20 }, async ({ peer, bytes }) => {
      if (!isLocal(peer)) {
        spin(2);
        done += 1;
      }
      return { bytes, metadata: {} };
    });
    await ask();
    const session = attacker(t, url);
    const flood = Array.from({ length: 600 }, () => outcome(open(session, CALL).end(framed(EMPTY.bytes))));
    await Promise.race(flood);
    for (let i = 0; i < 20; i++) await ask();
    assert.ok(done < 600, "the flood is not over when twenty calls of another are");
    assert.ok(
      (await Promise.all(flood)).every(({ code }) => code === status.OK),
      "nothing of it is refused",
    );
  });

  test("gets all the time while no other peer is active", async (t) => {
    // With only its share it would wait for minutes.
    const { url } = await target(t, { share: 0.0001, burstMs: 1 }, async ({ bytes }) => {
      spin(2);
      return { bytes, metadata: {} };
    });
    const session = attacker(t, url);
    const flood = Array.from({ length: 50 }, () => outcome(open(session, CALL).end(framed(EMPTY.bytes))));
    assert.ok((await Promise.all(flood)).every(({ code }) => code === status.OK));
  });

  test("is read in pieces from then on, and everything that it sends in time arrives", async (t) => {
    const sizes: number[] = [];
    const reads = t.mock.method(PacedSocket.prototype, "_read");
    const { url, ask } = await target(t, { share: 0.5, burstMs: 5 }, async ({ peer, bytes }) => {
      if (!isLocal(peer) && bytes.length === 0) spin(10);
      if (bytes.length > 0) sizes.push(bytes.length);
      return { bytes, metadata: {} };
    });
    await ask();
    assert.equal((await outcome(open(attacker(t, url), CALL).end(framed(EMPTY.bytes)))).code, status.OK);
    await ask();
    assert.equal(reads.mock.callCount(), 0);
    // New connections are refused until its time is restored.
    const big = framed(new Uint8Array(1_000_000).fill(7));
    for (let code: number | undefined; code !== status.OK;)
      ({ code } = await outcome(open(attacker(t, url), CALL).end(big)));
    const session = attacker(t, url);
    const calls = [1, 70_000, 3].map((n) => outcome(open(session, CALL).end(framed(new Uint8Array(n)))));
    for (const { code } of await Promise.all(calls)) assert.equal(code, status.OK);
    assert.ok(reads.mock.callCount() > 0);
    assert.deepEqual(
      sizes.sort((a, b) => a - b),
      [1, 3, 70_000, 1_000_000],
    );
  });

  test("by opening and resetting streams reaches hardly any handler, and loses its connection", async (t) => {
    let reached = 0;
    const { url, ask, log } = await target(
      t,
      { share: 0.01, burstMs: 2, resets: 1_000 },
      async ({ peer, bytes }) => {
        if (!isLocal(peer)) reached += 1;
        return { bytes, metadata: {} };
      },
    );
    const session = attacker(t, url);
    const isOpen = (): boolean => !session.closed && !session.destroyed;
    let sent = 0;
    // A peer that is alone gets all the time, so another peer stays active during the attack.
    const attack = async (): Promise<void> => {
      while (isOpen() && sent < 40_000) {
        for (let i = 0; i < 500 && isOpen(); i++, sent++) reset(open(session, CALL).end(framed(EMPTY.bytes)));
        await ask();
      }
    };
    const others = async (): Promise<void> => {
      for (let n = 0; isOpen() && n < 40_000; n++) await ask();
    };
    await ask();
    await Promise.all([attack(), others()]);
    assert.ok(!isOpen(), "the connection is closed");
    assert.ok(reached < sent / 4, `${reached} of ${sent}`);
    assert.ok(warnings(log).length <= 2);
  });
});
