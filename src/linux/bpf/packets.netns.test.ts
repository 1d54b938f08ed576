/** Valid, damaged and arbitrary packets through the programs of the data path: the results must match the model. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import fc from "fast-check";
import { ETHERTYPE } from "../../../fixtures/linux/frame.ts";
import { inside } from "../../../fixtures/linux/inside.ts";
import { needsRoot, netnsFixture } from "../../../fixtures/linux/netns.ts";
import { type Judgement, judge, wrap } from "../../../fixtures/linux/tunnel-model.ts";
import { encodeTunnelPacket, goodPacket, tunnelPackets } from "../../../fixtures/linux/tunnel-packet.ts";
import { familyOf } from "../../net/ip.ts";
import { close } from "../libc/syscall.ts";
import { getPinned, lookupElement, runTcProgram, type TcRunResult } from "./bpf.ts";
import { DROP_SLOTS, DROPPED_BYTES } from "./drop-maps.ts";
import { Datapath } from "./datapath.ts";
import type { TunnelEntry } from "./tunnel-entry.ts";
import { possibleCpus } from "./wire-map.ts";

const skip = needsRoot;
const RUNS_OF_A_FAMILY = 4_500;
const RUNS_ON_THE_WAY_OUT = 1_000;

/** include/uapi/linux/pkt_cls.h */
const TCX_NEXT = -1;
const TCX_DROP = 2;
const TCX_REDIRECT = 7;
/** datapath/include/tunnel.h */
const DROP_REFUSED = 3;
const DROP_CONGESTED = 2;

const UPLINK = 3000;
const UPLINK_MAC = "02:08:00:00:00:01";
/** The host end of a workload's pair, and the shared tunnel device. */
const END = 3001;
const SHARED = 3003;
const PORT = 4789;
const MAC = "02:00:00:00:00:55";
/** The MTU of a veth pair. */
const UNDERLAY_MTU = 1500;

const ipv4: TunnelEntry = { vni: 7, local: "10.8.0.1", remote: "10.8.0.2", port: PORT, mac: MAC };
const ipv6: TunnelEntry = { vni: 7, local: "fd08::1", remote: "fd08::2", port: PORT, mac: MAC };
const tunnels: ReadonlyMap<number, TunnelEntry> = new Map([
  [4001, ipv4],
  [4002, { ...ipv4, vni: 8, isAlone: true }],
  [4003, { ...ipv4, remote: "10.8.0.3" }],
  [4004, ipv6],
  [4005, { ...ipv6, vni: 8, isAlone: true }],
  [4006, { ...ipv6, port: PORT + 1 }],
]);

interface Loaded {
  readonly netns: string;
  readonly datapath: Datapath;
  readonly wire: number;
  readonly uplink: number;
  /** Dropped frames by reason. */
  readonly drops: () => number[];
}

/** Opens a data path on a host with an IPv4 and IPv6 uplink, without attaching anything. */
async function load(t: TestContext): Promise<Loaded> {
  const stack = new DisposableStack();
  t.after(() => stack.dispose());
  const net = await netnsFixture(t);
  const netns = net.nameOf(await net.netns());
  const ip = (words: string): unknown => execFileSync("ip", ["-n", netns, ...words.split(" ")]);
  ip(`link add up0 index ${UPLINK} address ${UPLINK_MAC} type veth peer name up1`);
  ip(`link add end0 index ${END} type veth peer name end1`);
  ip(`link add shared0 index ${SHARED} type vxlan external dstport ${PORT} nolearning udp6zerocsumrx`);
  const settings = ["net.ipv4.conf.shared0.forwarding=1", "net.ipv6.conf.shared0.forwarding=1"];
  execFileSync("ip", ["netns", "exec", netns, "sysctl", "-qw", ...settings]);
  for (const link of ["up0", "up1", "end0", "shared0"]) ip(`link set ${link} up`);
  ip("address add 10.8.0.1/24 dev up0");
  ip("address add fd08::1/64 dev up0 nodad");
  const datapath = Datapath.open(net.bpffs);
  stack.defer(() => datapath.destroy());
  const open = (prefix: string): number => {
    const pin = readdirSync(net.bpffs).find((name) => name.startsWith(prefix)) ?? prefix;
    const fd = getPinned(join(net.bpffs, pin));
    assert.ok(fd !== undefined, `${prefix} is pinned`);
    stack.defer(() => close(fd));
    return fd;
  };
  const drops = open("drops");
  return { netns, datapath, wire: open("wire-"), uplink: open("uplink-"), drops: () => readDrops(drops) };
}

function readDrops(map: number): number[] {
  return Array.from({ length: DROP_SLOTS }, (_, reason) => {
    const key = Buffer.alloc(4);
    key.writeUInt32LE(reason);
    const value = Buffer.alloc(DROPPED_BYTES * possibleCpus());
    assert.ok(lookupElement(map, key, value));
    let sum = 0;
    for (let at = 0; at < value.length; at += DROPPED_BYTES) sum += Number(value.readBigUInt64LE(at));
    return sum;
  });
}

/** The kernel runs a program only on a frame with a whole IP header, and of at most a page. */
function isRunnable(frame: Buffer): boolean {
  const ethertype = frame.readUInt16BE(12);
  const least = ethertype === ETHERTYPE.ipv4 ? 20 : ethertype === ETHERTYPE.ipv6 ? 40 : 1;
  return frame.length >= 14 + least && frame.length <= 3500;
}

function legible(judgement: Judgement | string): unknown {
  return typeof judgement === "string" || judgement.verdict !== "arrives"
    ? judgement
    : { ...judgement, frame: judgement.frame.toString("hex") };
}

/**
 * The result of the program as a verdict of the model. The counter that has changed tells the device of an arriving frame.
 */
function told(before: Buffer, result: TcRunResult, arrivedFor: number | undefined): Judgement | string {
  const { verdict, frame } = result;
  if (verdict === TCX_NEXT)
    return frame.equals(before) ? { verdict: "stack" } : "changed, and left to the stack";
  if (verdict === TCX_DROP) return { verdict: "congested" };
  if (verdict !== TCX_REDIRECT || arrivedFor === undefined) return `verdict ${verdict} without an arrival`;
  return { verdict: "arrives", ifindex: arrivedFor, frame };
}

for (const family of [4, 6] as const)
  test(
    `IPv${family} frames on an uplink arrive, are dropped, or go to the stack as in the model`,
    { skip },
    async (t) => {
      const { netns, datapath, uplink, wire, drops } = await load(t);
      for (const [ifindex, tunnel] of tunnels) datapath.openTunnel(ifindex, tunnel);
      datapath.bind({ ifindex: UPLINK, verdict: "decapsulate", port: PORT }, () => false);
      const counts = new Map([...tunnels.keys()].map((ifindex) => [ifindex, { packets: 0, bytes: 0 }]));
      const arrivedFor = (bytes: number): number | undefined => {
        for (const [ifindex, count] of counts) {
          const now = datapath.counters(ifindex, { isArrived: true });
          if (now?.packets === count.packets) continue;
          assert.deepEqual(now, { packets: count.packets + 1, bytes: count.bytes + bytes });
          counts.set(ifindex, now);
          return ifindex;
        }
        return undefined;
      };
      const seen = { stack: 0, congested: 0, arrives: 0 };
      const envelope = { to: UPLINK_MAC, from: "02:08:00:00:00:02" };
      const packets = tunnelPackets(goodPacket(family === 4 ? ipv4 : ipv6, envelope));
      inside(netns, () => {
        fc.assert(
          fc.property(packets, fc.boolean(), (packet, isSummed) => {
            const frame = encodeTunnelPacket(packet);
            fc.pre(isRunnable(frame));
            const expected = judge(frame, { mac: UPLINK_MAC, tunnels });
            const result = runTcProgram(uplink, { frame, ifindex: UPLINK, repeat: 1, isSummed });
            assert.deepEqual(
              legible(told(frame, result, arrivedFor(result.frame.length))),
              legible(expected),
            );
            // GSO packets are left to the kernel, and a frame on the shared device without a tunnel is dropped.
            const aggregate = { frame, ifindex: UPLINK, repeat: 1, gsoSegments: 2, gsoBytes: 100 };
            assert.equal(runTcProgram(uplink, aggregate).verdict, TCX_NEXT);
            assert.equal(runTcProgram(wire, { frame, ifindex: UPLINK, repeat: 1 }).verdict, TCX_DROP);
            seen[expected.verdict]++;
          }),
          { numRuns: RUNS_OF_A_FAMILY },
        );
      });
      const dropped = Array.from({ length: DROP_SLOTS }, () => 0);
      dropped[DROP_CONGESTED] = seen.congested;
      dropped[DROP_REFUSED] = RUNS_OF_A_FAMILY;
      assert.deepEqual(drops(), dropped);
      assert.ok(seen.arrives > 500 && seen.stack > 500 && seen.congested > 10, JSON.stringify(seen));
    },
  );

const onTheWayOut = fc.record({
  tunnel: fc.constantFrom<TunnelEntry>(
    ipv4,
    ipv6,
    { ...ipv6, vni: 0xffffff, port: 8472 },
    { ...ipv4, needsChecksum: true },
  ),
  ethertype: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(ETHERTYPE.ipv4, ETHERTYPE.ipv6) },
    { weight: 1, arbitrary: fc.constantFrom(ETHERTYPE.arp, 0x8100, 0x88b5) },
  ),
  payload: fc
    .tuple(
      fc.uint8Array({ minLength: 2, maxLength: 2 }),
      // Lengths around the maximum for 1500 bytes over IPv4 and over IPv6, and short ones.
      fc.oneof(fc.integer({ min: 2, max: 100 }), fc.integer({ min: 1400, max: 1470 })),
    )
    .map(([start, length]) => Buffer.concat([start, Buffer.alloc(length - start.length, 0xab)])),
});

test(
  "frames of a workload leave in the headers of the model, or unchanged by the shared device",
  { skip },
  async (t) => {
    const { netns, datapath, wire, drops } = await load(t);
    for (const port of [PORT, 8472]) datapath.tunnels.share(port, SHARED);
    datapath.bind({ ifindex: END, verdict: "encapsulate" }, () => false);
    const seen = { wrapped: 0, unchanged: 0 };
    inside(netns, () => {
      const closed = runTcProgram(wire, { frame: Buffer.alloc(60), ifindex: END, repeat: 1 });
      assert.equal(closed.verdict, TCX_DROP, "no tunnel is open yet");
      fc.assert(
        fc.property(onTheWayOut, fc.boolean(), ({ tunnel, ethertype, payload }, isSummed) => {
          const frame = Buffer.concat([Buffer.alloc(14, 0x02), payload]);
          frame.writeUInt16BE(ethertype, 12);
          fc.pre(isRunnable(frame));
          datapath.openTunnel(END, tunnel);
          const result = runTcProgram(wire, { frame, ifindex: END, repeat: 1, isSummed });
          assert.equal(result.verdict, TCX_REDIRECT);
          const is4 = familyOf(tunnel.local) === 4;
          const chosen =
            result.frame.length === frame.length
              ? { sourcePort: 0, id: 0 }
              : { sourcePort: result.frame.readUInt16BE(is4 ? 34 : 54), id: result.frame.readUInt16BE(18) };
          const packet = wrap(frame, tunnel, { mtuBytes: UNDERLAY_MTU, chosen });
          seen[packet ? "wrapped" : "unchanged"]++;
          if (!packet) {
            assert.equal(result.frame.toString("hex"), frame.toString("hex"));
            return;
          }
          assert.equal(result.frame.toString("hex", 14), Buffer.from(packet).toString("hex"));
          assert.equal(result.frame.readUInt16BE(12), is4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6);
          // A dynamic port: RFC 7348 section 4, RFC 6335.
          assert.ok(chosen.sourcePort >= 49_152, `source port ${chosen.sourcePort}`);
        }),
        { numRuns: RUNS_ON_THE_WAY_OUT },
      );
    });
    assert.deepEqual(drops(), [1, ...Array.from({ length: DROP_SLOTS - 1 }, () => 0)]);
    assert.ok(seen.wrapped > 100 && seen.unchanged > 100, JSON.stringify(seen));
  },
);
