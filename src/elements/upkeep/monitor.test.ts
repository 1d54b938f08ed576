import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  ConnectionEventType,
  ConnectionSchema,
  MonitorScopeSelectorSchema,
  State,
  type ConnectionEvent,
} from "../../api/gen/nsm/connection_pb.js";
import { connectionsOf, type ConnectionHop } from "../../api/hops.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import { labIdentity } from "../../identity/lab-identity.ts";
import { type Principal, SELF } from "../../world/peer.ts";
import { peerNamed } from "../../../fixtures/world/peer.ts";
import { Chain } from "../../../fixtures/elements/chain.ts";
import { MonitorBoard, matchesSelector } from "./monitor-board.ts";
import { monitor } from "./monitor.ts";
import { NextHopMonitor, type Notice } from "./next-hop-monitor.ts";
import { updateToken } from "../path/update-token.ts";
import { Worlds } from "../../../fixtures/elements/world.ts";

const ALL = create(MonitorScopeSelectorSchema);
const of = (id: string, ...segments: readonly [string, string][]) =>
  create(ConnectionSchema, {
    id,
    networkService: "shop",
    path: {
      index: Math.max(0, segments.length - 1),
      pathSegments: segments.map(([name, own]) => ({ name, id: own })),
    },
  });

function read(event: ConnectionEvent | undefined): string {
  if (!event) return "end";
  const connections = Object.entries(event.connections).map(
    ([key, { id, state }]) => `${key}${key === id ? "" : "?"}${state === State.DOWN ? " down" : ""}`,
  );
  return `${ConnectionEventType[event.type]} ${connections.join(",")}`.trim();
}

const OWNER: Readonly<Principal> = { kind: "unix", uid: 1000 };

test("a watcher gets the existing connections, even if there are none, and then the events", async () => {
  const board = new MonitorBoard();
  const early = board.watch(ALL);
  assert.equal(read(await early.take()), "INITIAL_STATE_TRANSFER");
  const waiting = early.take();
  board.update(of("a"), OWNER);
  assert.equal(read(await waiting), "UPDATE a");
  const late = board.watch(ALL);
  assert.equal(read(await late.take()), "INITIAL_STATE_TRANSFER a");
  board.down("a", "it is gone");
  board.down("a", "it is gone");
  board.delete("a");
  board.delete("a");
  assert.equal(read(await late.take()), "DELETE a down");
  late.close();
  assert.equal(read(await late.take()), "end");
  assert.equal(board.watching, 1);
});

test("a slow watcher gets the last event of each connection, a watcher that never fetches is cut off", async () => {
  const board = new MonitorBoard(2);
  const slow = board.watch(ALL);
  for (let i = 0; i < 1000; i++) {
    board.update(of("a"), OWNER);
    board.update(of("b"), OWNER);
  }
  board.delete("a");
  await slow.take();
  assert.equal(read(await slow.take()), "UPDATE b");
  assert.equal(read(await slow.take()), "DELETE a");
  for (const id of ["a", "b", "c"]) board.update(of(id), OWNER);
  await assert.rejects(slow.take(), { code: "RESOURCE_EXHAUSTED" });
  assert.equal(board.watching, 0);
});

test("a selector matches consecutive segments and any of the services; an empty selector matches all connections", () => {
  const connection = of("f", ["client", "c"], ["manager", "m"], ["forwarder", "f"]);
  const matches = (init: MessageInitShape<typeof MonitorScopeSelectorSchema>) =>
    matchesSelector(connection, create(MonitorScopeSelectorSchema, init));
  assert.ok(matches({}));
  assert.ok(matches({ pathSegments: [{ id: "m" }] }));
  assert.ok(matches({ pathSegments: [{ name: "manager" }, { name: "forwarder", id: "f" }] }));
  assert.ok(!matches({ pathSegments: [{ name: "client" }, { name: "forwarder" }] }), "not contiguous");
  assert.ok(!matches({ pathSegments: [{ name: "forwarder" }, {}] }), "beyond the end");
  assert.ok(matches({ networkServices: ["bank", "shop"] }));
  assert.ok(!matches({ networkServices: ["bank"], pathSegments: [{ id: "m" }] }));
});

test("a success is UPDATE, a failed refresh is DOWN, a close is DELETE, and a failed first request is not an event", async () => {
  const worlds = new Worlds();
  const board = new MonitorBoard();
  const chain = new Chain(worlds.world("alpha"), [monitor(board)]);
  const watch = board.watch(ALL);
  await worlds.run(async () => {
    const fail = () => {
      throw new NetloomError("UNAVAILABLE", "gone");
    };
    await watch.take();
    chain.answer = fail;
    await assert.rejects(chain.request());
    chain.answer = () => undefined;
    const answer = await chain.request();
    const id = chain.requests.at(-1)?.connection?.id;
    assert.equal(read(await watch.take()), `UPDATE ${id}`);
    chain.answer = fail;
    await assert.rejects(chain.request());
    assert.equal(read(await watch.take()), `UPDATE ${id} down`);
    await chain.close(answer);
    assert.equal(read(await watch.take()), `DELETE ${id} down`);
  });
});

function nextHop() {
  const board = new MonitorBoard();
  const refuse = (): never => {
    throw new TypeError("not asked for");
  };
  let streams = 0;
  let broken: NetloomError | undefined;
  const hop: ConnectionHop = connectionsOf({
    request: refuse,
    close: refuse,
    monitor: (_caller, selector) => {
      streams++;
      if (broken) throw broken;
      return board.watch(selector);
    },
  });
  return { board, hop, streams: () => streams, breakWith: (error: NetloomError) => (broken = error) };
}

test("one stream follows all connections of a next hop, and reports to each only its own losses", async () => {
  const worlds = new Worlds();
  const { clock, scope } = worlds.world("alpha");
  const next = nextHop();
  const monitors = new NextHopMonitor(scope, "own");
  await worlds.run(async () => {
    const told: string[] = [];
    const follow = (id: string) => {
      const following = monitors.follow(next.hop, id);
      following.start((notice: Notice) => told.push(`${id} ${notice.type}`));
      return following;
    };
    const [a, b] = [follow("a"), follow("b")];
    next.board.update(of("n1", ["client", "c"], ["own", "a"], ["next", "n1"]), OWNER);
    next.board.update(of("n2", ["client", "c"], ["own", "b"], ["next", "n2"]), OWNER);
    // An event about the same connection further down the path is not the next hop's event.
    next.board.update(of("n3", ["own", "a"], ["x", "x"], ["own", "z"], ["next", "n3"]), OWNER);
    next.board.down("n3", "it is gone");
    await clock.sleep(1);
    next.board.down("n1", "it is gone");
    await clock.sleep(1);
    next.board.delete("n2");
    await clock.sleep(1);
    assert.deepEqual(told, ["a down", "b deleted"]);
    assert.equal(next.streams(), 1);
    a.stop();
    b.stop();
    await clock.sleep(1);
    assert.equal(next.board.watching, 0, "no connection is followed any more");
  });
});

test("a loss between the request and its answer is reported after the answer, unless the connection is up again", async () => {
  const worlds = new Worlds();
  const { clock, scope } = worlds.world("alpha");
  const next = nextHop();
  const monitors = new NextHopMonitor(scope, "own");
  await worlds.run(async () => {
    const told: string[] = [];
    const following = monitors.follow(next.hop, "a");
    const connection = of("n1", ["own", "a"], ["next", "n1"]);
    next.board.update(connection, OWNER);
    next.board.down("n1", "it is gone");
    await clock.sleep(1);
    following.start((loss) => told.push(loss.type));
    assert.deepEqual(told, ["down"]);
    const second = monitors.follow(next.hop, "a");
    next.board.delete("n1");
    await clock.sleep(1);
    next.board.update(connection, OWNER);
    await clock.sleep(1);
    second.start((loss) => told.push(`second ${loss.type}`));
    assert.deepEqual(told, ["down", "deleted"]);
    following.stop();
    second.stop();
  });
});

test("a next hop that cannot be watched is not a loss, a stream that breaks is a loss", async () => {
  const worlds = new Worlds();
  const { clock, scope } = worlds.world("alpha");
  const [closed, open] = [nextHop(), nextHop()];
  closed.breakWith(new NetloomError("UNIMPLEMENTED", "no such method"));
  const monitors = new NextHopMonitor(scope, "own");
  await worlds.run(async () => {
    const told: string[] = [];
    const first = monitors.follow(closed.hop, "a");
    first.start((loss) => told.push(loss.type));
    const second = monitors.follow(open.hop, "b");
    second.start((loss) => told.push(`b ${loss.type}`));
    await clock.sleep(1);
    assert.equal(first.isOver, true);
    for (let i = 0; i < 20_000; i++)
      open.board.update(of(`n${i}`, ["own", `x${i}`], ["next", `n${i}`]), OWNER);
    await clock.sleep(1);
    assert.deepEqual(told, ["b broken"]);
  });
});

test("everybody sees a connection, but only its owner and this process see its tokens", async () => {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const identity = labIdentity(world);
  const board = new MonitorBoard();
  const chain = new Chain(world, [updateToken(identity), monitor(board)], { board, identity });
  await worlds.run(async () => {
    const expires = new Date(world.clock.wallMs() + 60_000).toISOString();
    const metadata = { "nsm-client-token": "secret", "nsm-client-token-expires": expires };
    const [owner, stranger, restarted] = [
      peerNamed("tcp:1"),
      peerNamed("tcp:2"),
      peerNamed("tcp:1", "again"),
    ];
    const watching = [owner, stranger, restarted, SELF].map((peer) =>
      chain.door.monitor(chain.caller({ peer }), ALL),
    );
    const byToken = create(MonitorScopeSelectorSchema, { pathSegments: [{ token: "secret" }] });
    const guessing = chain.door.monitor(chain.caller({ peer: stranger }), byToken);
    for (const watch of [...watching, guessing]) await watch.take();
    await chain.request({}, { caller: chain.caller({ peer: owner, metadata }) });
    const tokens = async (watch: Watch<ConnectionEvent>): Promise<string | undefined> => {
      const event = await watch.take();
      const [told] = Object.values(event?.connections ?? {});
      assert.ok(told?.path, "the connection itself is shown");
      return told.path.pathSegments[0]?.token;
    };
    for (const shown of ["secret", "", "secret", "secret"]) {
      const watch = watching.shift() ?? assert.fail();
      assert.equal(await tokens(watch), shown);
      watch.close();
    }
    const heard = guessing.take();
    guessing.close();
    assert.equal(read(await heard), "end", "a selector does not reveal a token");
  });
});
