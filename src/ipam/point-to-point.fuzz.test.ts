import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { contains, formatIp, mustParseIp, mustParsePrefix } from "../net/ip.ts";
import { toInteger } from "../net/cover.ts";
import { AddressPool } from "./address-pool.ts";
import { PointToPointIpam, type WantedAddress } from "./point-to-point.ts";

const NOTHING: WantedAddress = { excluded: [], srcAddresses: [], dstAddresses: [] };
const groups = (...list: string[][]) => list.map((prefixes) => prefixes.map(mustParsePrefix));
const text = (ipam: PointToPointIpam, owner: string, requested: Partial<WantedAddress> = {}, nowMs = 0) =>
  ipam
    .assign(owner, { ...NOTHING, ...requested }, nowMs)
    .map(({ dst, src }) => `${formatIp(dst)} ${formatIp(src)}`);

test("the endpoint's address comes first, then the client's, from each group one pair", () => {
  const ipam = new PointToPointIpam("icmp", groups(["172.16.1.100/31"], ["2001:db8::/116"]));
  assert.deepEqual(text(ipam, "a"), ["172.16.1.100 172.16.1.101", "2001:db8:: 2001:db8::1"]);
  assert.deepEqual(text(ipam, "a"), ["172.16.1.100 172.16.1.101", "2001:db8:: 2001:db8::1"]);
});

test("a full group refuses with the name of the pool, and nothing changes", () => {
  const ipam = new PointToPointIpam("icmp", groups(["2001:db8::/127", "2001:db8:1::/127"], ["10.0.0.0/31"]));
  text(ipam, "a");
  assert.throws(
    () => text(ipam, "b"),
    /give a client a pair of addresses of icmp: its pool 10\.0\.0\.0\/31 has no room left$/,
  );
  ipam.release("a");
  assert.deepEqual(text(ipam, "b"), ["2001:db8:: 2001:db8::1", "10.0.0.0 10.0.0.1"]);
});

test("excluded prefixes are skipped at no cost, however large", () => {
  const ipam = new PointToPointIpam("icmp", groups(["10.0.0.0/8"]));
  assert.deepEqual(text(ipam, "a", { excluded: ["10.0.0.0/9", "10.128.0.1/32"].map(mustParsePrefix) }), [
    "10.128.0.0 10.128.0.2",
  ]);
  assert.deepEqual(text(ipam, "b"), ["10.0.0.0 10.0.0.1"]);
});

test("an address that no interface can have is never given, even if a client brings it", () => {
  const last = new PointToPointIpam("icmp", groups(["255.255.255.252/30"]));
  const requested = { dstAddresses: ["255.255.255.254/32"], srcAddresses: ["255.255.255.255/32"] };
  assert.deepEqual(text(last, "a", requested), ["255.255.255.252 255.255.255.253"]);
  assert.throws(() => text(last, "b"), /has no room left/);
  last.release("a");
  assert.deepEqual(text(last, "b"), ["255.255.255.252 255.255.255.253"]);
  assert.deepEqual(text(new PointToPointIpam("icmp", groups(["::/120"])), "a"), ["::2 ::3"]);
  const around = new PointToPointIpam("icmp", groups(["126.0.0.0/7"]));
  assert.throws(() => text(around, "a", { excluded: [mustParsePrefix("126.0.0.0/8")] }), /has no room left/);
});

test("a pair that has become excluded is replaced, and becomes free", () => {
  const ipam = new PointToPointIpam("icmp", groups(["10.0.0.0/29"]));
  text(ipam, "a");
  assert.deepEqual(text(ipam, "a", { excluded: [mustParsePrefix("10.0.0.1/32")] }), ["10.0.0.2 10.0.0.3"]);
  assert.deepEqual(text(ipam, "b"), ["10.0.0.0 10.0.0.1"]);
});

test("a client that brings its old addresses gets them again if they are free", () => {
  const ipam = new PointToPointIpam("icmp", groups(["10.0.0.0/24"]));
  const requested = { dstAddresses: ["10.0.0.8/32"], srcAddresses: ["192.0.2.1/32", "10.0.0.9/32"] };
  assert.deepEqual(text(ipam, "a", requested), ["10.0.0.8 10.0.0.9"]);
  assert.deepEqual(text(ipam, "b", requested), ["10.0.0.0 10.0.0.1"]);
});

test("a lost owner's pair stays reserved for it, then becomes free for others", () => {
  const ipam = new PointToPointIpam("icmp", groups(["10.0.0.0/31"]));
  text(ipam, "a", {}, 0);
  ipam.reserve("a", 60_000);
  assert.throws(() => text(ipam, "b", {}, 59_999));
  assert.deepEqual(text(ipam, "a", {}, 59_999), ["10.0.0.0 10.0.0.1"]);
  ipam.reserve("a", 60_000);
  assert.deepEqual(text(ipam, "b", {}, 60_000), ["10.0.0.0 10.0.0.1"]);
});

test("over any history no address has two owners, and released addresses are given again, lowest first", () => {
  const steps = fc.array(
    fc.record({
      owner: fc.nat(40),
      what: fc.constantFrom("assign", "release", "reserve"),
      excluded: fc.nat(15),
    }),
    { maxLength: 400 },
  );
  fc.assert(
    fc.property(steps, fc.constantFrom("10.0.0.0/26", "2001:db8::/122"), (history, prefix) => {
      const ipam = new PointToPointIpam("p", groups([prefix]));
      const held = new Map<string, string[]>();
      for (const [nowMs, { owner, what, excluded }] of history.entries()) {
        const name = `o${owner}`;
        if (what === "release") {
          ipam.release(name);
          held.delete(name);
        } else if (what === "reserve") {
          ipam.reserve(name, nowMs + 1_000);
        } else {
          const wall = mustParsePrefix(
            prefix.includes(":") ? `2001:db8::${excluded}/128` : `10.0.0.${excluded}/32`,
          );
          try {
            const [pair] = ipam.assign(name, { ...NOTHING, excluded: [wall] }, nowMs);
            assert.ok(pair);
            assert.ok(!contains(wall, pair.src) && !contains(wall, pair.dst));
            held.set(name, [formatIp(pair.src), formatIp(pair.dst)]);
          } catch (error) {
            assert.match(String(error), /has no room left/);
          }
        }
        const all = [...held.values()].flat();
        assert.equal(new Set(all).size, all.length);
      }
    }),
    { numRuns: 200 },
  );
});

test("a hundred thousand takes and frees lose no address", () => {
  const pool = new AddressPool(mustParsePrefix("10.0.0.0/16"));
  const taken: bigint[] = [];
  for (let i = 0; i < 65_536; i++) taken.push(pool.take([]) ?? -1n);
  assert.equal(new Set(taken).size, 65_536);
  assert.equal(pool.take([]), undefined);
  for (const value of taken) pool.free(value);
  assert.equal(pool.take([]), toInteger(mustParseIp("10.0.0.0")));
  assert.equal(pool.claim(toInteger(mustParseIp("10.0.255.255"))), true);
  assert.equal(pool.claim(toInteger(mustParseIp("10.0.255.255"))), false);
});
