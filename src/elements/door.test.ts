import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { ConnectionSchema, PathSchema, PathSegmentSchema, State } from "../api/gen/nsm/connection_pb.js";
import { ConnectionContextSchema } from "../api/gen/nsm/connectioncontext_pb.js";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import { Chain } from "../../fixtures/elements/chain.ts";
import { Worlds } from "../../fixtures/elements/world.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";

function inChain(body: (chain: Chain) => Promise<void>, isFirst = false): () => Promise<void> {
  return async () => {
    const worlds = new Worlds();
    const chain = new Chain(worlds.world("alpha"), [], { isFirst });
    await worlds.run(() => body(chain));
  };
}

const path = (...segments: readonly [name: string, id: string][]) =>
  create(PathSchema, {
    index: Math.max(0, segments.length - 1),
    pathSegments: segments.map(([name, id]) => ({ name, id })),
  });

test(
  "behind the door a connection has this process's own id; the answer has the caller's id and is UP",
  inChain(async (chain) => {
    chain.answer = (connection) => void (connection.state = State.DOWN);
    const answer = await chain.request();
    const inside = chain.requests[0]?.connection;
    assert.notEqual(inside?.id, "c1");
    assert.equal(inside?.path?.index, 1);
    assert.deepEqual([answer.id, answer.path?.index, answer.state], ["c1", 0, State.UP]);
    assert.equal(answer.path?.pathSegments[1]?.id, inside?.id);
  }),
);

test(
  "a caller that lost the answer gets the same connection again, and can close it",
  inChain(async (chain) => {
    await Promise.all([chain.request(), chain.request()]);
    await chain.request();
    assert.equal(new Set(chain.requests.map(({ connection }) => connection?.id)).size, 1);
    await chain.close(create(ConnectionSchema, { id: "c1", path: path(["client", "c1"]) }));
    assert.equal(chain.closes.length, 1);
    assert.deepEqual(chain.door.established(), []);
    const other = { ...chain.caller(), peer: peerNamed("unix:1001") };
    await chain.request();
    await chain.request({}, { caller: other });
    assert.equal(chain.door.established().length, 2, "another peer's segments are its own");
  }),
);

test(
  "inconsistent messages, or messages without a sender, are refused before anything is stored",
  inChain(async (chain) => {
    const refused: readonly (readonly [Parameters<Chain["request"]>[0], RegExp])[] = [
      [{ path: path() }, /its path is empty; a client sends its own segment first/],
      [{ path: create(PathSchema, { index: 7, pathSegments: [{ name: "client", id: "c1" }] }) }, /index 7/],
      [{ id: "c2", path: path(["client", "c1"]) }, /segment 0 has the id c1/],
      [{ path: path(["own", "c1"]) }, /the caller has the same name: the next hop leads back to own/],
      [{ path: path(...Array.from({ length: 65 }, () => ["x", "c1"] as [string, string])) }, /65 segments/],
      [{ id: "x".repeat(300) }, /its id has 300 characters/],
      [{ labels: { a: "x".repeat(5000) } }, /its labels have a key of 1 or a value of 5000/],
      [
        { labels: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [String(i), ""])) },
        /labels are 200/,
      ],
    ];
    for (const [connection, message] of refused) {
      await assert.rejects(chain.request(connection), { code: "INVALID_ARGUMENT", message });
    }
    await assert.rejects(chain.door.request(chain.caller(), create(NetworkServiceRequestSchema)), {
      message: "request a connection: the request has none",
    });
    await assert.rejects(
      chain.request({}, { preferences: Array.from({ length: 40 }, () => ({ type: "KERNEL" })) }),
      /prefers 40 mechanisms/,
    );
    assert.deepEqual([chain.requests, chain.closes, chain.door.established()], [[], [], []]);
  }),
);

test(
  "a client begins its path with the requested id and keeps it",
  inChain(async (chain) => {
    const answer = await chain.request({ id: "wire-1", path: path() });
    assert.deepEqual(
      answer.path?.pathSegments.map(({ name, id }) => [name, id]),
      [["own", "wire-1"]],
    );
    await chain.request({ id: "wire-1", path: path() });
    assert.equal(chain.door.established().length, 1);
    await chain.close(create(ConnectionSchema, { id: "wire-1" }));
    assert.equal(chain.closes.length, 1);
  }, true),
);

test(
  "a caller that repeats its path of one segment reaches the same stations, up to the end of the path",
  inChain(async (chain) => {
    chain.answer = ({ path: taken }) => {
      if (taken?.pathSegments.length !== 2) return;
      taken.pathSegments.push(
        create(PathSegmentSchema, { name: "shop-1", id: `new ${chain.requests.length}` }),
      );
    };
    const answers = [await chain.request(), await chain.request(), await chain.request()];
    assert.deepEqual(
      answers.map((answer) => answer.path?.pathSegments.at(-1)?.id),
      ["new 1", "new 1", "new 1"],
    );
    await chain.close(create(ConnectionSchema, { id: "c1", path: path(["client", "c1"]) }));
    assert.equal(chain.closes[0]?.path?.pathSegments.at(-1)?.id, "new 1");
    await chain.request();
    assert.equal(
      chain.requests.at(-1)?.connection?.path?.pathSegments.length,
      2,
      "after a close it is a new connection",
    );
  }),
);

for (const isFirst of [true, false])
  test(
    `a request behind ${isFirst ? "a client" : "a role with a caller"} has a context and an IP context, even if it came without`,
    inChain(async (chain) => {
      await chain.request({ ...(isFirst && { path: path() }) });
      assert.ok(chain.requests[0]?.connection?.context?.ipContext);
      await chain.request({
        ...(isFirst && { path: path() }),
        context: create(ConnectionContextSchema, { MTU: 1400 }),
      });
      assert.deepEqual(
        [
          chain.requests[1]?.connection?.context?.MTU,
          chain.requests[1]?.connection?.context?.ipContext?.srcIpAddrs,
        ],
        [1400, []],
      );
    }, isFirst),
  );

test(
  "a request without a deadline ends after a minute",
  inChain(async (chain) => {
    await chain.request({}, { caller: { ...chain.caller(), deadlineMs: Infinity } });
    assert.ok((chain.calls[0]?.deadlineMs ?? Infinity) <= 60_000);
  }),
);
