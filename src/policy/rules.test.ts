/** The calls that each peer may make if neither an identity nor a policy adds rules. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { SELF, type Peer, principalText } from "../world/peer.ts";
import { peerNamed } from "../../fixtures/world/peer.ts";
import { type Action, mustAllow, question, type Question } from "./authorize.ts";
import { authorizeBy, RULES } from "./rules.ts";

const OWNER = peerNamed("tcp:10.0.0.1");
const STRANGER = peerNamed("tcp:10.0.0.2");
const USER = peerNamed("unix:1000");
const OTHER_USER = peerNamed("unix:1001");
/** Came by the socket, with proof. */
const PROVEN: Readonly<Peer> = { ...USER, principal: { kind: "spiffe", id: "spiffe://mesh/program" } };
const ALL = [OWNER, STRANGER, USER, OTHER_USER, PROVEN, SELF] as const;
const LOCAL = [USER, OTHER_USER, PROVEN, SELF] as const;

interface Row {
  readonly what: string;
  readonly ask: (peer: Peer) => Question;
  readonly allowed: readonly Peer[];
  /** The refusal that all other peers get. */
  readonly refusal?: RegExp;
}

const connection = { kind: "connection", id: "c1", service: "shop" } as const;
const endpoint = { kind: "endpoint", name: "shop-1", url: "tcp://10.0.0.9:5001" } as const;
const owner = OWNER.principal;
const mechanism = (type: string, isForHost: boolean) =>
  ({ kind: "mechanism", id: "c1", type, isForHost }) as const;
const onHost = (call: string) => ({ kind: "host", name: "alpha", call }) as const;

const ROWS: Readonly<Record<Action, readonly Row[]>> = {
  request: [
    { what: "a new connection", ask: (peer) => question(peer, "request", connection), allowed: ALL },
    {
      what: "a connection with an owner",
      ask: (peer) => question(peer, "request", { ...connection, owner }),
      allowed: [OWNER],
      refusal: /^request connection c1: it belongs to another peer$/,
    },
    {
      what: "a connection of a user",
      ask: (peer) => question(peer, "request", { ...connection, owner: USER.principal }),
      allowed: [USER],
      refusal: /it belongs to another peer$/,
    },
    {
      what: "a connection of a unix peer without uid, as an earlier version recorded it",
      ask: (peer) => question(peer, "request", { ...connection, owner: { kind: "unix" } }),
      allowed: [USER, OTHER_USER],
      refusal: /another peer$/,
    },
    {
      what: "a wire with an owner",
      ask: (peer) => question(peer, "request", { kind: "wire", id: "w1", owner }),
      allowed: [OWNER],
      refusal: /^request wire w1: it belongs to another peer$/,
    },
    {
      what: "a wire without an owner",
      ask: (peer) => question(peer, "request", { kind: "wire", id: "w1" }),
      allowed: ALL,
    },
    {
      what: "a mechanism into the host",
      ask: (peer) => question(peer, "request", mechanism("KERNEL", true)),
      allowed: LOCAL,
      refusal: /^request connection c1: KERNEL is for callers on this host$/,
    },
    {
      what: "a tunnel",
      ask: (peer) => question(peer, "request", mechanism("VXLAN", false)),
      allowed: ALL,
    },
  ],
  close: [
    {
      what: "a connection with an owner",
      ask: (peer) => question(peer, "close", { ...connection, owner }),
      allowed: [OWNER],
      refusal: /^close connection c1: it belongs to another peer$/,
    },
  ],
  monitor: [
    {
      what: "a selection",
      ask: (peer) => question(peer, "monitor", { kind: "connections", services: [], ids: [] }),
      allowed: ALL,
    },
    {
      what: "a connection with an owner",
      ask: (peer) => question(peer, "monitor", { ...connection, owner }),
      allowed: ALL,
    },
  ],
  "see-tokens": [
    {
      what: "of a connection with an owner",
      ask: (peer) => question(peer, "see-tokens", { ...connection, owner }),
      allowed: [OWNER, SELF],
      refusal: /its tokens are for who has established it$/,
    },
  ],
  register: [
    { what: "a free name", ask: (peer) => question(peer, "register", endpoint), allowed: ALL },
    {
      what: "a name with an owner",
      ask: (peer) => question(peer, "register", { ...endpoint, owner, ownerUrl: "tcp://10.0.0.1:5001" }),
      allowed: [OWNER],
      refusal:
        /^register endpoint shop-1 of \S+ \(tcp:\/\/10\.0\.0\.9:5001\): it belongs to tcp:10\.0\.0\.1 \(tcp:\/\/10\.0\.0\.1:5001\)$/,
    },
    {
      what: "a service with an owner",
      ask: (peer) => question(peer, "register", { kind: "service", name: "shop", url: "", owner }),
      allowed: [OWNER],
      refusal: /^register service shop of \S+: it belongs to tcp:10\.0\.0\.1$/,
    },
    {
      what: "a sign of life",
      ask: (peer) => question(peer, "register", { kind: "lease", name: "alpha" }),
      allowed: ALL,
    },
  ],
  unregister: [
    {
      what: "a name with an owner",
      ask: (peer) => question(peer, "unregister", { ...endpoint, owner }),
      allowed: [OWNER],
      refusal: /^unregister endpoint shop-1 of .*: it belongs to tcp:10\.0\.0\.1$/,
    },
  ],
  find: (["services", "endpoints", "registry"] as const).map((kind): Row => ({
    what: kind,
    ask: (peer) => question(peer, "find", { kind, name: "", services: [] }),
    allowed: ALL,
  })),
  read: [hostRow("read", "status")],
  operate: [hostRow("operate", "ping")],
  own: [hostRow("own", "apply")],
};

function hostRow(action: "read" | "operate" | "own", call: string): Row {
  return {
    what: `${call} at a host`,
    ask: (peer) => question(peer, action, onHost(call)),
    allowed: LOCAL,
    refusal: new RegExp(`^${call} at host alpha: a host is commanded from itself$`),
  };
}

const authorize = authorizeBy(RULES);

for (const [action, rows] of Object.entries(ROWS))
  suite(action, () => {
    for (const { what, ask, allowed, refusal } of rows)
      test(what, () => {
        for (const peer of ALL) {
          const isAllowed = allowed.includes(peer);
          const name = principalText(peer.principal);
          if (isAllowed) assert.doesNotThrow(() => mustAllow(authorize, ask(peer)), name);
          else
            assert.throws(
              () => mustAllow(authorize, ask(peer)),
              { code: "PERMISSION_DENIED", message: refusal ?? assert.fail(name) },
              name,
            );
        }
      });
  });

test("the first rule that refuses decides, and the refusal names it", () => {
  const refuse = (name: string) => ({
    name,
    refusal: () => ({ code: "UNAUTHENTICATED", reason: name }) as const,
  });
  const strict = authorizeBy([...RULES, refuse("first"), refuse("second")]);
  const asked = question(STRANGER, "find", { kind: "services", name: "", services: [] });
  assert.deepEqual(strict(asked), { rule: "first", code: "UNAUTHENTICATED", reason: "first" });
  assert.throws(() => mustAllow(strict, asked), { code: "UNAUTHENTICATED", message: "find services: first" });
  assert.equal(authorize(question(STRANGER, "close", { ...connection, owner }))?.rule, "owned");
});
