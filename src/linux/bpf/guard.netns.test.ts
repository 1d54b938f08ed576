/** Arbitrary frames through the guard of a device: drops and their reasons must match the model. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { be16, bytes, ETHERTYPE, ip, mac } from "../../../fixtures/linux/frame.ts";
import { judgeSent } from "../../../fixtures/linux/guard-model.ts";
import { inside } from "../../../fixtures/linux/inside.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import type { DropReason } from "../../kernel/drops.ts";
import type { Guard } from "../../kernel/guard.ts";
import { familyOf } from "../../net/ip.ts";
import { close } from "../libc/syscall.ts";
import { getPinned, runTcProgram } from "./bpf.ts";
import { Datapath } from "./datapath.ts";

const skip = needsRoot;
const RUNS = 6_000;
const END = 3001;
/** include/uapi/linux/pkt_cls.h */
const TCX_NEXT = -1;
const TCX_DROP = 2;

const MAC = "02:00:00:00:00:55";
const FOREIGN_MAC = "02:00:00:00:00:66";
const GUARDS: readonly Guard[] = [
  { sources: ["10.0.0.1/32", "fd00::1/128"] },
  { sources: ["10.0.0.1/32", "10.9.0.0/16", "fd00::1/128", "fd09::/48"], mac: MAC },
  { sources: ["10.9.0.0/16", "::/0"], serves: ["dhcp"] },
  { sources: ["0.0.0.0/0"], serves: ["routers"] },
  { sources: [], mac: MAC },
  { mac: MAC, serves: ["dhcp", "routers"] },
  { serves: ["routers", "dhcp"] },
  {},
];
const ADDRESSES = {
  4: ["10.0.0.1", "10.9.3.4", "10.0.0.2", "0.0.0.0", "255.255.255.255", "224.0.0.1", "127.0.0.1"],
  6: ["fd00::1", "fd09::7", "fd00::2", "::", "fe80::1", "ff02::1", "::1", "::ffff:10.0.0.1"],
} as const;

/** Loads the program of devices, and makes the device under test. */
async function load(t: TestContext): Promise<{ netns: string; datapath: Datapath; wire: number }> {
  const stack = new DisposableStack();
  t.after(() => stack.dispose());
  const net = await netnsFixture(t);
  const netns = net.nameOf(await net.netns());
  execFileSync("ip", [
    "-n",
    netns,
    "link",
    "add",
    "end0",
    "index",
    String(END),
    "type",
    "veth",
    "peer",
    "end1",
  ]);
  for (const link of ["end0", "end1"]) execFileSync("ip", ["-n", netns, "link", "set", link, "up"]);
  const datapath = Datapath.open(net.bpffs);
  stack.defer(() => datapath.destroy());
  const pin = readdirSync(net.bpffs).find((name) => name.startsWith("wire-")) ?? "";
  const wire = getPinned(join(net.bpffs, pin));
  assert.ok(wire !== undefined);
  stack.defer(() => close(wire));
  return { netns, datapath, wire };
}

const byte = fc.integer({ min: 0, max: 255 });
const address = (family: 4 | 6) => fc.constantFrom(...ADDRESSES[family]).map(ip);
const macs = fc.constantFrom(MAC, FOREIGN_MAC).map(mac);
const noise = fc.uint8Array({ maxLength: 40 });

const udp = fc
  .tuple(fc.constantFrom(53, 67, 547), fc.constantFrom(53, 68, 546), noise)
  .map(([from, to, data]) => ({ protocol: 17, data: bytes(be16(from), be16(to), [0, 0, 0, 0], data) }));
const tcp = noise.map((data) => ({ protocol: 6, data }));

/** ICMP errors that quote a packet, and other ICMP types. */
const icmp = fc
  .tuple(fc.constantFrom(0, 3, 5, 8, 9, 11, 12), address(4), address(4), noise)
  .map(([type, from, to, data]) => ({
    protocol: 1,
    data: bytes([type, 0, 0, 0, 0, 0, 0, 0], [0x45], new Uint8Array(11), from, to, data),
  }));
const icmp6 = fc
  .tuple(fc.constantFrom(1, 2, 4, 128, 133, 134, 135, 136, 137), address(6), address(6), fc.boolean())
  .map(([type, from, to, isQuote]) => ({
    protocol: 58,
    data: isQuote
      ? bytes([type, 0, 0, 0, 0, 0, 0, 0], [0x60], new Uint8Array(7), from, to)
      : bytes([type, 0, 0, 0, 0, 0, 0, 0], to),
  }));

const options = fc.oneof(
  { weight: 4, arbitrary: fc.constant(new Uint8Array()) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom([1, 1, 1, 1], [131, 7, 4, 10, 9, 0, 1, 0], [148, 4, 0, 0], [1, 137, 3, 4])
      .map((each) => Uint8Array.from(each)),
  },
  {
    weight: 1,
    arbitrary: fc
      .array(byte, { minLength: 1, maxLength: 10 })
      .map((words) => bytes(words.flatMap((word) => [word % 150, word % 7, 0, 0]))),
  },
);

const packet4 = fc
  .record({
    options,
    source: address(4),
    destination: address(4),
    offset: fc.constantFrom(0, 0, 0, 185),
    upper: fc.oneof(udp, tcp, icmp),
  })
  .map(({ options: put, source, destination, offset, upper }) =>
    bytes(
      [0x45 + put.length / 4, 0],
      be16(20 + put.length + upper.data.length),
      [0, 1],
      be16(offset),
      [64, upper.protocol, 0, 0],
      source,
      destination,
      put,
      upper.data,
    ),
  );

/** An extension header. `body` takes the type of the header after it. */
const extension = fc
  .record({
    type: fc.constantFrom(0, 43, 44, 51, 60),
    units: fc.integer({ min: 0, max: 2 }),
    words: fc.array(fc.constantFrom(0, 0, 1, 8, 255), { minLength: 22, maxLength: 22 }),
  })
  .map(({ type, units, words }) => ({
    type,
    body: (next: number): Uint8Array =>
      bytes([next, units, ...words]).subarray(
        0,
        type === 44 ? 8 : type === 51 ? (units + 2) * 4 : (units + 1) * 8,
      ),
  }));

const packet6 = fc
  .record({
    source: address(6),
    destination: address(6),
    extensions: fc.array(extension, { maxLength: 7, size: "small" }),
    upper: fc.oneof(udp, tcp, icmp6),
  })
  .map(({ source, destination, extensions, upper }) => {
    const nexts = [...extensions.slice(1).map(({ type }) => type), upper.protocol];
    const bodies = extensions.map(({ body }, i) => body(nexts[i] ?? 59));
    const rest = bytes(...bodies, upper.data);
    return bytes(
      [0x60, 0, 0, 0],
      be16(rest.length),
      [extensions[0]?.type ?? upper.protocol, 255],
      source,
      destination,
      rest,
    );
  });

const packetArp = fc
  .record({
    operation: fc.constantFrom(1, 2),
    mac: macs,
    claimed: address(4),
    asked: address(4),
    shape: fc.constantFrom([8, 0, 6, 4], [8, 0, 6, 4], [8, 0, 8, 4], [0x86, 0xdd, 6, 16]),
  })
  .map(({ operation, mac: who, claimed, asked, shape }) =>
    bytes([0, 1], shape, be16(operation), who, claimed, new Uint8Array(6), asked),
  );

/** A value in one of `n` cases. */
function rarely<T>(n: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: n - 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

const frames = fc
  .tuple(
    fc.oneof(
      packet4.map((packet) => [ETHERTYPE.ipv4, packet] as const),
      packet6.map((packet) => [ETHERTYPE.ipv6, packet] as const),
      packetArp.map((packet) => [ETHERTYPE.arp, packet] as const),
      noise.map((packet) => [0x88b5, packet] as const),
    ),
    macs,
    rarely(20, fc.constantFrom(0x8100, 0x88a8)),
    fc.array(fc.tuple(fc.nat(90), byte), { maxLength: 2 }),
    rarely(6, fc.nat(120)),
  )
  .map(([[ethertype, packet], from, tag, changes, length]) => {
    const frame = Buffer.from(bytes(mac(MAC), from, be16(tag ?? ethertype), packet));
    for (const [at, value] of changes) if (14 + at < frame.length) frame[14 + at] = value;
    return length === undefined ? frame : frame.subarray(0, Math.max(34, length));
  });

/** The kernel runs a program only on a frame with at least a whole IP header. */
function isRunnable(frame: Buffer): boolean {
  const least = { [ETHERTYPE.ipv4]: 34, [ETHERTYPE.ipv6]: 54 }[frame.readUInt16BE(12)] ?? 15;
  return frame.length >= least;
}

test(
  "allowed traffic passes, and other traffic is dropped for the reason in the model",
  { skip },
  async (t) => {
    const { netns, datapath, wire } = await load(t);
    datapath.bind({ ifindex: END, verdict: "pass" }, () => false);
    const seen = new Map<string, number>();
    let before = new Map<DropReason, number>();
    const dropped = (): DropReason | undefined => {
      const now = new Map(
        datapath.drops(() => ({ name: "end0" })).counts.map(({ reason, packets }) => [reason, packets]),
      );
      const [reason] = [...now].find(([each, packets]) => packets !== before.get(each)) ?? [];
      before = now;
      return reason;
    };
    inside(netns, () => {
      fc.assert(
        fc.property(frames, fc.constantFrom(...GUARDS), (frame, guard) => {
          fc.pre(isRunnable(frame));
          datapath.change({ ifindex: END, verdict: "pass", guard });
          const { verdict } = runTcProgram(wire, { frame, ifindex: END, repeat: 1 });
          const told =
            verdict === TCX_NEXT ? "passes" : verdict === TCX_DROP ? dropped() : `verdict ${verdict}`;
          assert.equal(told, judgeSent(frame, guard), `${frame.toString("hex")} ${JSON.stringify(guard)}`);
          seen.set(told, (seen.get(told) ?? 0) + 1);
        }),
        { numRuns: RUNS },
      );
    });
    for (const told of ["passes", "source", "mac", "server", "source-routed", "unreadable"])
      assert.ok((seen.get(told) ?? 0) > 30, `${told}: ${JSON.stringify([...seen])}`);
    const { offences, counts } = datapath.drops(() => ({ name: "end0" }));
    assert.deepEqual(
      new Map(offences.map(({ link, reason, packets }) => [`${link} ${reason}`, packets])),
      new Map(
        counts
          .toSorted((a, b) => b.packets - a.packets)
          .map(({ reason, packets }) => [`end0 ${reason}`, packets]),
      ),
    );
  },
);

test("IPv4 and IPv6 addresses are kept apart, whatever the entries of either are", { skip }, async (t) => {
  const { netns, datapath, wire } = await load(t);
  const sends = (source: string, guard: Guard): number => {
    datapath.change({ ifindex: END, verdict: "pass", guard });
    const header =
      familyOf(source) === 4
        ? bytes([0x45, 0, 0, 20, 0, 1, 0, 0, 64, 6, 0, 0], ip(source), ip("10.0.0.2"))
        : bytes([0x60, 0, 0, 0, 0, 0, 59, 64], ip(source), ip("fd00::2"));
    const frame = Buffer.from(
      bytes(mac(MAC), mac(MAC), be16(familyOf(source) === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6), header),
    );
    return runTcProgram(wire, { frame, ifindex: END, repeat: 1 }).verdict;
  };
  datapath.bind({ ifindex: END, verdict: "pass" }, () => false);
  inside(netns, () => {
    assert.equal(sends("10.0.0.1", { sources: ["::/0"] }), TCX_DROP);
    assert.equal(sends("fd00::1", { sources: ["0.0.0.0/0"] }), TCX_DROP);
    assert.equal(sends("::ffff:10.0.0.1", { sources: ["10.0.0.1/32"] }), TCX_DROP);
    assert.equal(sends("10.0.0.1", { sources: ["0.0.0.0/0"] }), TCX_NEXT);
    assert.equal(sends("fd00::1", { sources: ["::/0"] }), TCX_NEXT);
  });
});
