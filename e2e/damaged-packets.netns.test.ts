/**
 * Tunnel packets of any shape, sent to a host with a wire by a machine on the same network. The same frames reach the
 * workload whether the data path is at the uplink or not, and no others.
 *
 *   [client: nsm-1]===veth===[alpha: eth0]====[beta: eth0]  <- damaged packets
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import { until } from "../fixtures/async/until.ts";
import { type Hosts, hostsFixture, reachEachOther, remoteWire } from "../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../fixtures/forwarder/wire-maker.ts";
import { needs } from "../fixtures/linux/features.ts";
import { ETHERTYPE, FrameSocket, macOf } from "../fixtures/linux/frame.ts";
import { inside } from "../fixtures/linux/inside.ts";
import { judge } from "../fixtures/linux/tunnel-model.ts";
import {
  encodeTunnelPacket,
  goodPacket,
  INNER_FROM,
  type TunnelPacket,
  tunnelPackets,
} from "../fixtures/linux/tunnel-packet.ts";
import type { ConnectionContext } from "../src/forwarder/wire.ts";
import { queryTcxIngress } from "../src/linux/bpf/bpf.ts";
import type { TunnelEntry } from "../src/linux/bpf/tunnel-entry.ts";

const skip = needs("tcx links");
const context: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };
const PACKETS = 400;
/** Number of frames that wait at the workload at a time: fewer than its socket has room for. */
const ROUND = 10;
const STRANGER = "02:de:ad:00:00:01";
const UNDERLAY_MTU = 9000;
/** The kernel keeps a frame of more than a page in pieces; the first one ends with the Ethernet header. */
const BYTES_OF_PIECES = 6000;

/** A frame that takes the slow path, after all frames that the same CPU sent before. */
function fence(good: TunnelPacket, number: number): TunnelPacket {
  const [high, low] = [number >> 8, number & 0xff].map((byte) => byte.toString(16).padStart(2, "0"));
  return { ...good, innerTo: `02:fe:00:00:${high}:${low}`, innerEthertype: 0x88b5 };
}

/** The frames that reach the workload from these packets, in hexadecimal. */
async function arriving(
  packets: readonly TunnelPacket[],
  { good, from, to }: { readonly good: TunnelPacket; readonly from: FrameSocket; readonly to: FrameSocket },
): Promise<string[]> {
  const frames: string[] = [];
  for (let at = 0; at < packets.length; at += ROUND) {
    for (const packet of packets.slice(at, at + ROUND)) from.send(encodeTunnelPacket(packet));
    const last = fence(good, at);
    from.send(encodeTunnelPacket(last));
    for (;;) {
      const frame = await to.receive(isOfTunnel);
      const text = Buffer.from(frame).toString("hex");
      if (text.startsWith(last.innerTo.replaceAll(":", ""))) break;
      frames.push(text);
    }
  }
  return frames.toSorted();
}

/** All combinations of congestion marks (RFC 6040), for packets in one piece and in many. */
function markedPackets(good: TunnelPacket): TunnelPacket[] {
  const marks = [0, 1, 2, 3];
  return [good.innerBytes, BYTES_OF_PIECES].flatMap((innerBytes) =>
    [ETHERTYPE.ipv4, ETHERTYPE.ipv6].flatMap((innerEthertype) =>
      marks.flatMap((trafficClass) =>
        marks.map((innerTrafficClass) => ({
          ...good,
          innerBytes,
          innerEthertype,
          trafficClass,
          innerTrafficClass,
        })),
      ),
    ),
  );
}

/** Marks the inner frame of a packet that belongs to another tunnel. */
function marked(packet: TunnelPacket, good: TunnelPacket): TunnelPacket {
  const { source, destination, port, vniWord } = packet;
  const isOfIt =
    source === good.source &&
    destination === good.destination &&
    port === good.port &&
    vniWord === good.vniWord;
  return isOfIt ? packet : { ...packet, innerTo: STRANGER, damage: [0, 0] };
}

/** Returns whether the packet is longer than an Ethernet header, and fits the underlay. */
function isSendable(packet: TunnelPacket): boolean {
  const { length } = encodeTunnelPacket(packet);
  return length > 14 && length <= 14 + UNDERLAY_MTU;
}

/** Packets of one CPU are processed in order. */
function sendFromOneCpu(): void {
  const [, cpu] = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync("/proc/self/status", "latin1")) ?? [];
  execFileSync("taskset", ["-cp", cpu ?? "0", String(process.pid)]);
}

/** Excludes frames that workload and kernel send by themselves. */
function isOfTunnel(frame: Uint8Array): boolean {
  return Buffer.from(frame).toString("hex", 6, 12) === INNER_FROM.replaceAll(":", "");
}

/** Detaches the data path, as on a host where it has never been at the uplink. */
async function detachUplinks({ net, host }: Hosts): Promise<void> {
  const folder = join(net.bpffs, "alpha", "uplinks");
  const indexes = readdirSync(folder);
  assert.equal(indexes.length, 1, "the uplink has the program, still");
  for (const index of indexes) {
    assert.equal(programsOf(net.nameOf(host), Number(index)), 1);
    unlinkSync(join(folder, index));
    await until(() => programsOf(net.nameOf(host), Number(index)) === 0);
  }
}

function programsOf(netns: string, ifindex: number): number {
  return inside(netns, () => queryTcxIngress(ifindex).length);
}

for (const [family, alpha, beta] of [
  [4, "10.8.0.1", "10.8.0.2"],
  [6, "fd08::1", "fd08::2"],
] as const)
  test(
    `damaged packets over IPv${family} reach a workload only where the kernel's own tunnel lets them`,
    { skip },
    async (t) => {
      const hosts = await hostsFixture(t);
      const { near, far } = remoteWire(hosts, context, {
        sourceIp: alpha,
        destinationIp: beta,
        underlayMtuBytes: UNDERLAY_MTU,
      });
      for (const netns of [hosts.host, hosts.other]) {
        const name = hosts.net.nameOf(netns);
        execFileSync("ip", ["-n", name, "link", "set", "eth0", "mtu", String(UNDERLAY_MTU)]);
      }
      // Without a guard: the test is about the tunnels, not about the frames inside.
      await new WireMaker(hosts.alpha).apply({ ...near, guard: "never" });
      await new WireMaker(hosts.beta).apply({ ...far, guard: "never" });
      await reachEachOther(hosts, hosts.server, context);

      const mac = macOf(hosts.host, "eth0");
      const tunnel: TunnelEntry = {
        vni: 7,
        local: alpha,
        remote: beta,
        port: 4789,
        mac: macOf(hosts.client, "nsm-1"),
      };
      const good = goodPacket(tunnel, { to: mac, from: macOf(hosts.other, "eth0") });
      sendFromOneCpu();
      const from = await FrameSocket.open(hosts.net.machine, { netns: hosts.other, link: "eth0" }, 0);
      const to = await FrameSocket.open(
        hosts.net.machine,
        { netns: hosts.client, link: "nsm-1" },
        ETHERTYPE.all,
      );
      t.after(() => [from, to].forEach((socket) => socket.close()));

      const seed = Math.trunc(Math.random() * 2 ** 31);
      const drawn = fc.sample(tunnelPackets(good), { numRuns: PACKETS, seed });
      const packets = [...drawn, ...markedPackets(good)]
        .map((packet, id): TunnelPacket => ({ ...marked(packet, good), id }))
        .filter(isSendable);
      const admitted = packets.flatMap((packet) => {
        const judgement = judge(encodeTunnelPacket(packet), { mac, tunnels: new Map([[1, tunnel]]) });
        const isKnown = judgement.verdict === "arrives" && isOfTunnel(judgement.frame);
        return isKnown ? [judgement.frame.toString("hex")] : [];
      });

      const withProgram = await arriving(packets, { good, from, to });
      await detachUplinks(hosts);
      // Fragments of the second round must not match any of the first.
      const again = packets.map((packet): TunnelPacket => ({ ...packet, id: packet.id + 0x8000 }));
      const without = await arriving(again, { good, from, to });

      assert.deepEqual(withProgram, without, `seed ${seed}`);
      const strangers = withProgram.filter((frame) => frame.startsWith(STRANGER.replaceAll(":", "")));
      assert.deepEqual(strangers, [], `seed ${seed}`);
      const missing = admitted.filter((frame) => !withProgram.includes(frame));
      assert.deepEqual(missing, [], `seed ${seed}`);
      const ofOthers = packets.filter(({ innerTo }) => innerTo === STRANGER).length;
      t.diagnostic(
        `${packets.length} packets, ${ofOthers} of other tunnels; the model admits ${admitted.length}, ${withProgram.length} came`,
      );
      assert.ok(admitted.length > 50 && ofOthers > 10);
      assert.ok(withProgram.length > admitted.length && packets.length > withProgram.length);
      await reachEachOther(hosts, hosts.server, context);
    },
  );
