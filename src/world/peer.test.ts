import assert from "node:assert/strict";
import { test } from "node:test";
import { isSamePrincipal, peerKey, plainPeer, type Principal, principalAt, principalText } from "./peer.ts";

const PRINCIPALS: readonly Principal[] = [
  { kind: "spiffe", id: "spiffe://mesh/agent" },
  { kind: "spiffe", id: "spiffe://mesh/other" },
  { kind: "address", address: "10.0.0.1" },
  { kind: "address", address: "fd00::1" },
  { kind: "unix", uid: 0 },
  { kind: "unix", uid: 1000 },
  { kind: "self" },
];

test("each principal equals only itself and has a text of its own", () => {
  for (const [i, a] of PRINCIPALS.entries())
    for (const [j, b] of PRINCIPALS.entries()) assert.equal(isSamePrincipal(a, b), i === j);
  assert.equal(new Set(PRINCIPALS.map(principalText)).size, PRINCIPALS.length);
});

test("a unix principal without a user ID matches every unix principal and no other", () => {
  const anybody: Principal = { kind: "unix" };
  const same = PRINCIPALS.filter((each) => isSamePrincipal(anybody, each));
  assert.deepEqual(same.map(principalText), ["unix:0", "unix:1000"]);
  assert.ok(isSamePrincipal(anybody, anybody));
});

test("a unix principal is its user, so a process owns its objects after a restart", () => {
  const at = (pid: number) => principalAt({ kind: "unix", credentials: { uid: 1000, gid: 100, pid } });
  assert.deepEqual(at(7), at(8));
});

test("peerKey is the proven identity or the address, and for a unix socket the connection", () => {
  const address = { kind: "address", address: "10.0.0.1" } as const;
  const unix = { kind: "unix", credentials: { uid: 0, gid: 0, pid: 7 } } as const;
  assert.equal(peerKey(plainPeer(address, "1")), peerKey(plainPeer(address, "2")));
  assert.notEqual(peerKey(plainPeer(unix, "1")), peerKey(plainPeer(unix, "2")));
  const principal = { kind: "spiffe", id: "spiffe://mesh/agent" } as const;
  const [near, far] = [
    { principal, origin: unix, connection: "1" },
    { principal, origin: address, connection: "2" },
  ];
  assert.equal(peerKey(near), peerKey(far));
});
