/** Compares requests with those of iproute2 for the same command. The titles are those of golden/requests.txt. */
import assert from "node:assert/strict";
import test from "node:test";
import { deleteAddress, dumpAddresses, newAddress } from "./address.ts";
import { bytesOf, readGoldens } from "../../../fixtures/linux/golden/golden.ts";
import { type Attributes, messages, readAttributes, Struct } from "./message-reader.ts";
import {
  changeLink,
  changeVxlan,
  deleteLink,
  deleteLinkGroup,
  dumpLinks,
  getLink,
  newVeth,
  newVxlan,
} from "./link.ts";
import * as k from "./constants.ts";
import { deleteNeighbor, dumpNeighbors, newNeighbor, replaceNeighbor } from "./neighbor.ts";
import { dumpNsids, getNsid, newNsid } from "./nsid.ts";
import { deleteQdisc, dumpQdiscs, replaceQdisc } from "./qdisc.ts";
import { deleteRoute, dumpRoutes, newRoute, replaceRoute } from "./route.ts";
import { deleteRule, dumpRules, newRule } from "./rule.ts";

const common = { group: 77, mtuBytes: 1400 };
const far = {
  destination: "10.21.0.0/16",
  via: "10.9.0.9",
  linkIndex: 104,
  table: 1000,
  metric: 50,
  source: "10.9.0.1",
  protocol: 78,
};
const rule = {
  family: 4 as const,
  priority: 100,
  table: 1000,
  from: "10.9.0.0/16",
  to: "10.10.0.0/16",
  ipProtocol: 17,
  sourcePorts: [1000, 2000] as const,
  destinationPorts: [4789, 4789] as const,
  iif: "a1",
  protocol: 78,
};
const neighbor = { address: "10.9.1.2", mac: "02:00:00:00:00:02", linkIndex: 101, protocol: 78 };
const mac = (last: string): string => `02:00:00:00:00:${last}`;

const requests: Record<string, Uint8Array> = {
  newVeth: newVeth(
    { ...common, index: 101, name: "a0", mac: mac("01") },
    { ...common, index: 201, name: "b0", mac: mac("02"), netnsFd: 4 },
  ),
  newVxlan: newVxlan(
    { index: 102, group: 77, name: "x0", mac: mac("03"), mtuBytes: 1450 },
    { vni: 4242, local: "192.0.2.1", remote: "192.0.2.2", port: 4789 },
  ),
  "newVxlan in a namespace": newVxlan(
    { index: 103, group: 77, name: "x1", mac: mac("04"), mtuBytes: 1430, netnsFd: 4 },
    { vni: 4243, local: "2001:db8::1", remote: "2001:db8::2", port: 4790 },
  ),
  "changeLink alias": changeLink(101, { alias: "server-4f2a" }),
  "changeLink addrgenmode": changeLink(101, { addrGenMode: k.IN6_ADDR_GEN_MODE_NONE }),
  "changeLink up": changeLink(101, { up: true }),
  "changeLink down": changeLink(101, { up: false }),
  "changeLink mtu": changeLink(101, { mtuBytes: 1300 }),
  "changeLink mac": changeLink(101, { mac: mac("0a") }),
  "changeLink group": changeLink(101, { group: 78 }),
  "changeLink name": changeLink(101, { name: "a1" }),
  changeVxlan: changeVxlan(102, { vni: 4242, local: "192.0.2.3", remote: "192.0.2.4" }),
  "getLink by name": getLink("a1"),
  dumpLinks: dumpLinks({ kind: "vxlan" }),
  deleteLink: deleteLink(104),
  deleteLinkGroup: deleteLinkGroup(77),
  newAddress: newAddress({ address: "10.9.0.1/24", linkIndex: 104, protocol: 0 }),
  "newAddress peer": newAddress({ address: "10.9.1.1/32", peer: "10.9.1.2/32", linkIndex: 101, protocol: 0 }),
  "newAddress 6": newAddress({
    address: "2001:db8:9::1/128",
    peer: "2001:db8:9::2/128",
    linkIndex: 101,
    protocol: 0,
  }),
  "newAddress 6 plain": newAddress({ address: "2001:db8:a::1/64", linkIndex: 104, protocol: 0 }),
  dumpAddresses: dumpAddresses(101),
  deleteAddress: deleteAddress({ address: "10.9.1.1/32", peer: "10.9.1.2/32", linkIndex: 101, protocol: 0 }),
  "deleteAddress 6": deleteAddress({ address: "2001:db8:a::1/64", linkIndex: 104, protocol: 0 }),
  "newRoute link": newRoute({ destination: "10.20.0.0/16", linkIndex: 101, protocol: 78 }),
  "newRoute via": newRoute(far),
  "newRoute default": newRoute({
    destination: "0.0.0.0/0",
    via: "10.77.0.1",
    linkIndex: 101,
    onlink: true,
    protocol: 78,
  }),
  replaceRoute: replaceRoute({ destination: "10.20.0.0/16", via: "10.9.1.2", linkIndex: 101, protocol: 78 }),
  "newRoute 6": newRoute({ destination: "2001:db8:20::/48", linkIndex: 101, protocol: 78 }),
  "newRoute 6 via": newRoute({
    destination: "2001:db8:21::/48",
    via: "fe80::1",
    linkIndex: 101,
    table: 200,
    metric: 7,
    source: "2001:db8:9::1",
    onlink: true,
    protocol: 78,
  }),
  dumpRoutes: dumpRoutes({ family: 4, table: 1000, linkIndex: 104, protocol: 78 }),
  deleteRoute: deleteRoute(far),
  "deleteRoute 6": deleteRoute({ destination: "2001:db8:20::/48", linkIndex: 101, protocol: 78 }),
  newRule: newRule(rule),
  "newRule 6": newRule({ family: 6, priority: 101, table: 200, from: "2001:db8::/32", protocol: 78 }),
  dumpRules: dumpRules(4),
  deleteRule: deleteRule(rule),
  newNeighbor: newNeighbor(neighbor),
  "newNeighbor 6": newNeighbor({ ...neighbor, address: "2001:db8:9::2" }),
  replaceNeighbor: replaceNeighbor({ ...neighbor, mac: mac("0b") }),
  dumpNeighbors: dumpNeighbors(101),
  deleteNeighbor: deleteNeighbor(neighbor),
  dumpQdiscs: dumpQdiscs(),
  deleteQdisc: deleteQdisc(101),
  newNsid: newNsid(6),
  "newNsid 7": newNsid(6, 7),
  dumpNsids: dumpNsids(),
  getNsid: getNsid(6),
};

/** Bytes of iproute2's message that differ in Netloom's, by offset, and the reason. */
const differences: Record<
  string,
  { readonly why: string; readonly bytes: readonly [offset: number, byte: number][] }
> = {
  "getLink by name": {
    why: "any family, and no statistics",
    bytes: [
      [16, k.AF_UNSPEC],
      [44, k.RTEXT_FILTER_SKIP_STATS],
    ],
  },
  dumpLinks: {
    why: "any family, and no statistics",
    bytes: [
      [16, k.AF_UNSPEC],
      [36, k.RTEXT_FILTER_SKIP_STATS],
    ],
  },
  deleteRoute: { why: "no route of another type is removed", bytes: [[23, k.RTN_UNICAST]] },
  "deleteRoute 6": { why: "no route of another type is removed", bytes: [[23, k.RTN_UNICAST]] },
  deleteRule: { why: "no rule with another action is removed", bytes: [[23, k.FR_ACT_TO_TBL]] },
  newNsid: { why: "the kernel answers with the number", bytes: [[6, k.NLM_F_REQUEST | k.NLM_F_ECHO]] },
  "newNsid 7": { why: "the kernel answers with the number", bytes: [[6, k.NLM_F_REQUEST | k.NLM_F_ECHO]] },
  dumpQdiscs: { why: "the kernel does not look at the index", bytes: [[20, 0]] },
};

const goldens = readGoldens("requests.txt");

for (const [title, message] of Object.entries(requests)) {
  const { command, bytes } = bytesOf(goldens, title);
  const { why, bytes: changed } = differences[title] ?? { why: "", bytes: [] };
  test(`${title} sends the bytes of: ${command}${why && `, but ${why}`}`, () => {
    for (const [offset, byte] of changed) bytes[offset] = byte;
    assert.equal(Buffer.from(message).toString("hex"), Buffer.from(bytes).toString("hex"));
  });
}

const tbf = [
  ["tbf", { type: "tbf", rateBitsPerSecond: 80e6, burstBytes: 32768, limitBytes: 65536 }],
  ["tbf 64", { type: "tbf", rateBitsPerSecond: 40e9, burstBytes: 1_000_000, limitBytes: 2_000_000 }],
] as const;

for (const [title, shape] of tbf) {
  const { command, bytes } = bytesOf(goldens, title);
  test(`${title} sets the parameters of: ${command}, without the rate table, which the kernel ignores`, () => {
    const [ours, theirs] = [replaceQdisc({ linkIndex: 101, shape }), bytes].map((message) => {
      const options = qdiscOptions(message);
      const parameters = options?.struct(k.TCA_TBF_PARMS, 36);
      return {
        linkLayer: parameters?.u8(1),
        rate: parameters?.u32(8),
        peakRate: parameters?.u32(20),
        limit: parameters?.u32(24),
        burst: options?.u32(k.TCA_TBF_BURST),
        rate64: options?.u64(k.TCA_TBF_RATE64),
      };
    });
    assert.deepEqual(ours, theirs);
  });
}

test(`netem has the parameters of: ${bytesOf(goldens, "netem").command}, and the delay also in nanoseconds`, () => {
  const ours = replaceQdisc({ linkIndex: 101, shape: { type: "netem", delayMs: 12.5, lossPercent: 0.5 } });
  const options = qdiscAttributes(ours).bytes(k.TCA_OPTIONS) ?? new Uint8Array();
  const theirs = qdiscAttributes(bytesOf(goldens, "netem").bytes).bytes(k.TCA_OPTIONS);
  assert.deepEqual(options.subarray(0, 24), theirs);
  assert.equal(readAttributes("netem", options, 24).u64(k.TCA_NETEM_LATENCY64), 12_500_000);
});

test("getLink by index asks for that index, with statistics only on request", () => {
  const [message] = messages(getLink(101, { stats: true, targetNetnsid: 3 }));
  assert(message);
  assert.equal(new Struct("link", message.body, 16).i32(4), 101);
  const attributes = readAttributes("link", message.body, 16);
  assert.equal(attributes.u32(k.IFLA_EXT_MASK), undefined);
  assert.equal(attributes.i32(k.IFLA_TARGET_NETNSID), 3);
});

function qdiscAttributes(request: Uint8Array): Attributes {
  const [message] = messages(request);
  assert(message);
  return readAttributes("qdisc", message.body, 20);
}

function qdiscOptions(request: Uint8Array): Attributes | undefined {
  return qdiscAttributes(request).nested(k.TCA_OPTIONS);
}
