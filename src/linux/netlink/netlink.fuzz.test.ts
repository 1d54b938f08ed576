import assert from "node:assert/strict";
import test from "node:test";
import fc from "fast-check";
import { addressBits, formatIp, formatPrefix, network } from "../../net/ip.ts";
import { formatMac } from "../../net/mac.ts";
import { decodeAddress, newAddress } from "./address.ts";
import * as k from "./constants.ts";
import { decodeAny, decoders } from "../../../fixtures/linux/golden/decode.ts";
import { readGoldens } from "../../../fixtures/linux/golden/golden.ts";
import { lossOf } from "../machine/loss-events.ts";
import { changeLink, newVeth, newVxlan } from "./link.ts";
import { decodeLink } from "./link-decode.ts";
import { DecodeError, type NetlinkMessage, messages } from "./message-reader.ts";
import { MessageWriter } from "./message-writer.ts";
import { decodeNeighbor, newNeighbor } from "./neighbor.ts";
import { decodeNsid, newNsid } from "./nsid.ts";
import { decodeQdisc, replaceQdisc } from "./qdisc.ts";
import { decodeRoute, newRoute } from "./route.ts";
import { decodeRule, newRule } from "./rule.ts";

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const ip = (family: 4 | 6): fc.Arbitrary<string> =>
  bytes(addressBits(family) / 8).map((bytes) => formatIp({ family, bytes }));
const prefix = (family: 4 | 6): fc.Arbitrary<string> =>
  fc
    .tuple(bytes(addressBits(family) / 8), fc.nat(addressBits(family)))
    .map(([bytes, length]) => formatPrefix(network({ address: { family, bytes }, length })));
const family = fc.constantFrom(4 as const, 6 as const);
const mac = bytes(6).map(formatMac);
const u8 = fc.nat(255);
const u32 = fc.nat(0xffffffff);
const index = fc.integer({ min: 1, max: 0x7fffffff });
const name = fc.stringMatching(/^[a-z0-9.-]{1,15}$/);
const LOSSES = [k.RTM_NEWROUTE, k.RTM_DELROUTE, k.RTM_DELRULE, k.RTM_DELNEIGH] as const;
const ports = fc.tuple(fc.nat(65535), fc.nat(65535));

function only(request: Uint8Array): NetlinkMessage {
  const [message] = messages(request);
  assert(message);
  return message;
}

/** Runs `decode`, and rethrows any error but a DecodeError. */
function tolerate(decode: () => unknown): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}

function decodeDatagram(datagram: Uint8Array): void {
  tolerate(() => {
    for (const message of messages(datagram)) tolerate(() => decodeAny(message));
  });
}

test("every decoder turns random bytes into a value or a DecodeError", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), decodeDatagram), { numRuns: 2000 });
  const message = fc.record({
    type: fc.constantFrom(k.NLMSG_ERROR, k.NLMSG_DONE, k.RTM_NEWLINK, k.RTM_NEWNEIGH, ...LOSSES),
    flags: fc.nat(0xffff),
    sequence: u32,
    port: u32,
    body: fc.uint8Array({ maxLength: 120 }),
  });
  fc.assert(
    fc.property(message, (message) => {
      for (const decode of decoders) tolerate(() => decode(message));
      const links = { find: () => undefined };
      tolerate(() => lossOf({ nsid: 1, netns: "file:///a", protocol: 78, links }, message));
    }),
    { numRuns: 2000 },
  );
});

test("damaged answers of the kernel give a value or a DecodeError", () => {
  const goldens = [...readGoldens("answers.txt").values(), ...readGoldens("requests.txt").values()];
  const damage = fc.record({
    golden: fc.constantFrom(...goldens),
    at: fc.array(fc.tuple(fc.nat(), u8), { maxLength: 8 }),
    cut: fc.option(fc.nat()),
  });
  fc.assert(
    fc.property(damage, ({ golden, at, cut }) => {
      const datagram = golden.bytes.slice();
      for (const [offset, byte] of at) datagram[offset % datagram.length] = byte;
      decodeDatagram(cut === null ? datagram : datagram.subarray(0, cut % datagram.length));
      // A damaged length hides the rest: damage the data after the header, too.
      for (const message of messages(golden.bytes)) {
        const body = message.body.slice();
        for (const [offset, byte] of at) if (body.length > 0) body[offset % body.length] = byte;
        tolerate(() => decodeAny({ ...message, body }));
      }
    }),
    { numRuns: 1000 },
  );
});

test("the reader can walk through any message of the writer", () => {
  const fields = fc.array(fc.tuple(fc.nat(k.NLA_TYPE_MASK), fc.uint8Array({ maxLength: 600 })), {
    maxLength: 9,
  });
  fc.assert(
    fc.property(fields, (fields) => {
      const m = new MessageWriter(99, 0);
      for (const [type, value] of fields) m.attribute(type, () => m.bytes(value));
      const request = m.finish();
      assert.equal(request.length % 4, 0);
      assert.equal(only(request).body.length, request.length - 16);
    }),
  );
});

test("an address reads back as written", () => {
  const withoutPeer = family.chain((family) =>
    fc.record({ linkIndex: index, address: prefix(family), protocol: u8 }),
  );
  const withPeer = family.chain((family) =>
    fc
      .record({ linkIndex: index, address: ip(family), peer: prefix(family), protocol: u8 })
      .filter(({ address, peer }) => !peer.startsWith(`${address}/`))
      .map((value) => ({ ...value, address: `${value.address}/${addressBits(family)}` })),
  );
  fc.assert(
    fc.property(fc.oneof(withoutPeer, withPeer), (address) =>
      assert.deepEqual(decodeAddress(only(newAddress(address))), { ...address }),
    ),
  );
});

test("a route reads back as written, with defaults left out", () => {
  const route = family.chain((family) =>
    fc.record(
      {
        destination: prefix(family),
        linkIndex: index,
        protocol: u8,
        via: ip(family),
        onlink: fc.constant(true as const),
        table: u32.filter((table) => table !== k.RT_TABLE_MAIN && table !== k.RT_TABLE_UNSPEC),
        // For IPv6 the kernel itself fills in 1024.
        metric: fc.integer({ min: 1, max: 0xffffffff }).filter((metric) => metric !== 1024),
        source: ip(family),
      },
      {
        requiredKeys: [
          "destination",
          "linkIndex",
          "protocol",
          ...(family === 6 ? (["metric"] as const) : []),
        ],
      },
    ),
  );
  fc.assert(
    fc.property(route, (route) => {
      const decoded = decodeRoute(only(newRoute(route)));
      assert.deepEqual(decoded, { ...route, type: k.RTN_UNICAST, isCloned: false });
    }),
  );
});

test("a rule reads back as written", () => {
  const rule = family.chain((family) =>
    fc.record(
      {
        family: fc.constant(family),
        priority: u32,
        table: u32.filter((table) => table !== k.RT_TABLE_UNSPEC),
        protocol: u8,
        from: prefix(family),
        to: prefix(family),
        ipProtocol: u8,
        sourcePorts: ports,
        destinationPorts: ports,
        iif: name,
      },
      { requiredKeys: ["family", "priority", "table", "protocol"] },
    ),
  );
  fc.assert(
    fc.property(rule, (rule) => {
      const decoded = decodeRule(only(newRule(rule)));
      assert.deepEqual(decoded, { ...rule, action: k.FR_ACT_TO_TBL });
    }),
  );
});

test("neighbours and namespace numbers read back as written", () => {
  const address = family.chain(ip);
  fc.assert(
    fc.property(fc.record({ address, mac, linkIndex: index, protocol: u8 }), (neighbor) => {
      assert.deepEqual(decodeNeighbor(only(newNeighbor(neighbor))), { ...neighbor, state: k.NUD_PERMANENT });
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: -1, max: 0x7fffffff }), (nsid) =>
      assert.equal(decodeNsid(only(newNsid(3, nsid))), nsid),
    ),
  );
});

test("a shape reads back as written, to the byte, the microsecond and the millionth of a percent", () => {
  const tbf = fc.record({
    type: fc.constant("tbf" as const),
    rateBitsPerSecond: fc.integer({ min: 1, max: 1e12 / 8 }).map((bytes) => bytes * 8),
    burstBytes: fc.integer({ min: 1, max: 0xffffffff }),
    limitBytes: u32,
  });
  const netem = fc.record({
    type: fc.constant("netem" as const),
    delayMs: fc.nat(60e6).map((us) => us / 1e3),
    lossPercent: fc.nat(100e6).map((millionths) => millionths / 1e6),
  });
  fc.assert(
    fc.property(fc.record({ linkIndex: index, shape: fc.oneof(tbf, netem) }), (qdisc) => {
      const decoded = decodeQdisc(only(replaceQdisc(qdisc)));
      assert.deepEqual(decoded, {
        ...qdisc,
        shape: { ...qdisc.shape },
        kind: qdisc.shape.type,
        parent: k.TC_H_ROOT,
      });
    }),
  );
});

test("a device reads back as written", () => {
  const link = fc.record({ index, name, mac, mtuBytes: u32, group: u32 });
  const tunnel = family.chain((family) =>
    fc.record({ vni: fc.nat(0xffffff), local: ip(family), remote: ip(family), port: fc.nat(65535) }),
  );
  fc.assert(
    fc.property(link, link, tunnel, (link, peer, tunnel) => {
      // A request leaves the hardware type to the kernel.
      const asked = { ...link, hardware: 0 };
      assert.deepEqual(decodeLink(only(newVeth(link, peer))), { ...asked, kind: "veth", flags: 0 });
      assert.deepEqual(decodeLink(only(newVxlan(link, tunnel))), {
        ...asked,
        kind: "vxlan",
        flags: 0,
        vxlan: { ...tunnel, learning: false, df: k.VXLAN_DF_SET, ttl: 0 },
      });
    }),
  );
  const change = fc.record({
    name,
    mac,
    mtuBytes: u32,
    group: u32,
    alias: name,
    addrGenMode: u8,
  });
  fc.assert(
    fc.property(index, change, (index, change) => {
      assert.deepEqual(decodeLink(only(changeLink(index, { ...change, up: true }))), {
        ...change,
        index,
        hardware: 0,
        flags: k.IFF_UP,
      });
    }),
  );
});
