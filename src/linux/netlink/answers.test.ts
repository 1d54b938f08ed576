/** Decodes answers of Linux. The titles are those of golden/answers.txt. */
import assert from "node:assert/strict";
import test from "node:test";
import * as k from "./constants.ts";
import { decodeAny } from "../../../fixtures/linux/golden/decode.ts";
import { bytesOf, readGoldens } from "../../../fixtures/linux/golden/golden.ts";
import { isDumpInterrupted, messages } from "./message-reader.ts";

const goldens = readGoldens("answers.txt");

function answersTo(title: string): unknown[] {
  return messages(bytesOf(goldens, title).bytes).map(decodeAny);
}

/** Asserts that the answers include at least these, complete. */
function assertHas(title: string, expected: readonly unknown[]): void {
  const answers = answersTo(title);
  for (const value of expected)
    assert(
      answers.some((answer) => isEqual(answer, value)),
      `${JSON.stringify(value)} is not in ${JSON.stringify(answers)}`,
    );
}

function isEqual(a: unknown, b: unknown): boolean {
  try {
    assert.deepEqual(a, b);
    return true;
  } catch {
    return false;
  }
}

const quiet = {
  rxPackets: 0,
  txPackets: 0,
  rxBytes: 0,
  txBytes: 0,
  rxErrors: 0,
  txErrors: 0,
  rxDropped: 0,
  txDropped: 0,
};
const operstateDown = { operstate: 2 };

test("a veth that is a bridge port has the indexes of its bridge and of its other end", () => {
  assertHas("link veth port", [
    {
      index: 101,
      name: "a0",
      mac: "02:00:00:00:00:0a",
      mtuBytes: 1300,
      flags: 0x1002,
      group: 78,
      alias: "server-4f2a",
      kind: "veth",
      master: 104,
      lowerIndex: 201,
      linkNetnsid: 0,
      addrGenMode: k.IN6_ADDR_GEN_MODE_NONE,
      ...operstateDown,
      stats: quiet,
    },
  ]);
});

test("a vxlan device has its tunnel, even in a namespace other than its underlay's", () => {
  assertHas("link vxlan", [
    {
      index: 102,
      name: "x0",
      mac: "02:00:00:00:00:03",
      mtuBytes: 1450,
      flags: 0x1002,
      group: 77,
      kind: "vxlan",
      addrGenMode: 0,
      ...operstateDown,
      vxlan: {
        vni: 4242,
        local: "192.0.2.3",
        remote: "192.0.2.4",
        port: 4789,
        learning: false,
        df: 1,
        ttl: 0,
      },
      stats: quiet,
    },
  ]);
  assertHas("link vxlan 6", [
    {
      index: 103,
      name: "x1",
      mac: "02:00:00:00:00:04",
      mtuBytes: 1430,
      flags: 0x1002,
      group: 77,
      kind: "vxlan",
      lowerIndex: 103,
      linkNetnsid: 0,
      addrGenMode: 0,
      ...operstateDown,
      vxlan: {
        vni: 4243,
        local: "2001:db8::1",
        remote: "2001:db8::2",
        port: 4790,
        learning: false,
        df: 1,
        ttl: 0,
      },
      stats: quiet,
    },
  ]);
});

test("addresses have the form in which they were given, with and without a peer", () => {
  assertHas("addresses", [
    { linkIndex: 104, address: "10.9.0.1/24", protocol: 0 },
    { linkIndex: 101, address: "10.9.1.1/32", peer: "10.9.1.2/32", protocol: 0 },
    { linkIndex: 104, address: "2001:db8:a::1/64", protocol: 0 },
    { linkIndex: 101, address: "2001:db8:9::1/128", peer: "2001:db8:9::2/128", protocol: 0 },
    { errno: 0 },
  ]);
});

test("routes have the form in which they were given, and the kernel's own are among them", () => {
  const ours = { protocol: 78, type: k.RTN_UNICAST, isCloned: false };
  assertHas("routes", [
    {
      destination: "10.21.0.0/16",
      linkIndex: 104,
      via: "10.9.0.9",
      table: 1000,
      metric: 50,
      source: "10.9.0.1",
      ...ours,
    },
    { destination: "0.0.0.0/0", linkIndex: 101, via: "10.77.0.1", onlink: true, ...ours },
    { destination: "10.9.1.2/32", linkIndex: 101, source: "10.9.1.1", ...ours, protocol: 2 },
  ]);
  assertHas("routes 6", [
    { destination: "2001:db8:20::/48", linkIndex: 101, ...ours },
    {
      destination: "2001:db8:21::/48",
      linkIndex: 101,
      via: "fe80::1",
      onlink: true,
      table: 200,
      metric: 7,
      source: "2001:db8:9::1",
      ...ours,
    },
  ]);
});

test("rules have the form in which they were given", () => {
  assertHas("rules", [
    {
      family: 4,
      priority: 100,
      table: 1000,
      from: "10.9.0.0/16",
      to: "10.10.0.0/16",
      ipProtocol: 17,
      sourcePorts: [1000, 2000],
      destinationPorts: [4789, 4789],
      iif: "a1",
      protocol: 78,
      action: k.FR_ACT_TO_TBL,
    },
  ]);
  assertHas("rules 6", [
    { family: 6, priority: 101, table: 200, from: "2001:db8::/32", protocol: 78, action: k.FR_ACT_TO_TBL },
  ]);
});

test("only Netloom's neighbours are permanent and have its protocol number", () => {
  const state = k.NUD_PERMANENT;
  assertHas("neighbors", [
    { linkIndex: 101, address: "10.9.1.2", mac: "02:00:00:00:00:0b", protocol: 78, state },
    { linkIndex: 101, address: "2001:db8:9::2", mac: "02:00:00:00:00:02", protocol: 78, state },
  ]);
});

test("the burst of a foreign tbf is as exact as the kernel's clock allows", () => {
  const shape = { type: "tbf", rateBitsPerSecond: 80e6, burstBytes: 32768, limitBytes: 65536 };
  const at = { linkIndex: 101, kind: "tbf", parent: k.TC_H_ROOT };
  assertHas("qdisc tbf", [
    { ...at, shape },
    { linkIndex: 1, kind: "noqueue", parent: k.TC_H_ROOT },
  ]);
  const fast = { type: "tbf", rateBitsPerSecond: 40e9, burstBytes: 999_680, limitBytes: 2_000_000 };
  assertHas("qdisc tbf 64", [{ ...at, shape: fast }]);
});

test("the burst of Netloom's tbf is exact to the byte", () => {
  const shape = { type: "tbf", rateBitsPerSecond: 12_345e6, burstBytes: 98_765, limitBytes: 200_001 };
  assert.partialDeepStrictEqual(answersTo("qdisc tbf of ours"), [{ kind: "tbf", shape }]);
});

test("a refusal has the kernel's own message", () => {
  assertHas("ack of an existing VNI", [
    { errno: 17, message: "A VXLAN device with the specified VNI already exists" },
  ]);
  assertHas("ack of a route to an absent gateway", [{ errno: 101, message: "Nexthop has invalid gateway" }]);
  assertHas("ack of success", [{ errno: 0 }]);
});

test("notifications are the same messages, and the end of a namespace is one of them", () => {
  const notifications = messages(bytesOf(goldens, "notifications").bytes);
  assert(notifications.every((message) => !isDumpInterrupted(message)));
  assert.deepEqual(notifications.filter(({ type }) => type === k.RTM_DELNSID).map(decodeAny), [0]);
  const removed = notifications.filter(({ type }) => type === k.RTM_DELLINK).map(decodeAny);
  assert.partialDeepStrictEqual(removed, [{ name: "br0" }, { name: "x0" }, { name: "a1", lowerIndex: 0 }]);
});
