import assert from "node:assert/strict";
import { test } from "node:test";
import { State, type Connection } from "../api/gen/nsm/connection_pb.js";
import type { ConnectionHop } from "../api/hops.ts";
import { NetloomError, type ErrorCode } from "../errors/errors.ts";
import { Chain } from "../../fixtures/elements/chain.ts";
import { connect } from "./connect.ts";
import { connectionOf } from "./connection.ts";
import { updateToken } from "./path/update-token.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { Worlds } from "../../fixtures/elements/world.ts";

interface Next {
  readonly hop: ConnectionHop;
  readonly log: string[];
  answer: (connection: Connection) => void;
}

function next(name: string, log: string[]): Next {
  const own: Next = {
    log,
    answer: () => undefined,
    hop: {
      request: async (_call, request) => {
        log.push(`${name} request`);
        const connection = structuredClone(connectionOf(request));
        own.answer(connection);
        return connection;
      },
      close: async (_call, connection) => {
        log.push(
          `${name} close${connection.state === State.DOWN ? " lost" : ""} ${connection.networkServiceEndpointName}`,
        );
      },
      monitor: () => {
        throw new TypeError("not asked for");
      },
    },
  };
  return own;
}

function setting() {
  const worlds = new Worlds();
  const world = worlds.world("alpha");
  const log: string[] = [];
  const [a, b] = [next("a", log), next("b", log)];
  const state = { hop: a.hop };
  const chain = new Chain(world, [updateToken(labIdentity(world))], {
    last: connect(() => state.hop),
  });
  return { worlds, chain, log, a, b, state };
}

test("the next station is closed once with its own last answer, and with state DOWN after a loss", async () => {
  for (const isLost of [false, true]) {
    const { worlds, chain, log, a } = setting();
    await worlds.run(async () => {
      a.answer = (connection) => void (connection.networkServiceEndpointName = "nse");
      const answer = await chain.request();
      answer.networkServiceEndpointName = "old";
      if (isLost) answer.state = State.DOWN;
      await chain.close(answer);
      await chain.close(answer);
      assert.deepEqual(log, ["a request", `a close${isLost ? " lost" : ""} nse`]);
    });
  }
});

test("a connection that moves to another station is closed at the previous one", async () => {
  const { worlds, chain, log, b, state } = setting();
  await worlds.run(async () => {
    const answer = await chain.request();
    state.hop = b.hop;
    await chain.request(answer);
    await chain.close(answer);
    assert.deepEqual(log, ["a request", "a close ", "b request", "b close "]);
  });
});

test("a station whose answer was lost gets a close, a station that refused gets none", async () => {
  const closes: readonly (readonly [ErrorCode, boolean])[] = [
    ["UNAVAILABLE", true],
    ["DEADLINE_EXCEEDED", true],
    ["CANCELLED", true],
    ["INTERNAL", true],
    ["PERMISSION_DENIED", false],
    ["NOT_FOUND", false],
  ];
  for (const [code, isClosed] of closes) {
    const { worlds, chain, log, a } = setting();
    await worlds.run(async () => {
      a.answer = () => {
        throw new NetloomError(code, "so it is");
      };
      await assert.rejects(chain.request(), { code });
      assert.deepEqual(log, isClosed ? ["a request", "a close "] : ["a request"], code);
    });
  }
});

test("a refresh that fails leaves the next station as it is", async () => {
  const { worlds, chain, log, a } = setting();
  await worlds.run(async () => {
    const answer = await chain.request();
    a.answer = () => {
      throw new NetloomError("UNAVAILABLE", "for a moment");
    };
    await assert.rejects(chain.request(answer));
    assert.deepEqual(log, ["a request", "a request"]);
    await chain.close(answer);
    assert.equal(log.at(-1), "a close ");
  });
});

test("an answer for another connection, or with a changed path, is INTERNAL and closed", async () => {
  const wrong: readonly (readonly [(connection: Connection) => void, RegExp])[] = [
    [(connection) => (connection.id = "x"), /it is for connection x/],
    [({ path }) => path && (path.index = 7), /its path has the index 7 instead of 1/],
    [({ path }) => path?.pathSegments.shift(), /it has changed segment 0/],
    [
      ({ path }) => path && Object.assign(path.pathSegments[1] ?? {}, { name: "x" }),
      /it has changed segment 1/,
    ],
    [(connection) => delete connection.path, /it has no path/],
  ];
  for (const [spoil, message] of wrong) {
    const { worlds, chain, log, a } = setting();
    await worlds.run(async () => {
      a.answer = spoil;
      await assert.rejects(chain.request(), { code: "INTERNAL", message });
      assert.deepEqual(log, ["a request", "a close "]);
    });
  }
});
