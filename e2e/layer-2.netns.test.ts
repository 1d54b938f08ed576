/**
 * Forwarding of frames by a wire: local and remote wires behave the same.
 *
 *   local    [client: nsm-1 10.0.0.1]===veth===[local: nse-1 10.0.0.2]
 *   remote   [client: nsm-1 10.0.0.1]===veth===nlv  nlx ))) VXLAN ((( nlx  nlv===veth===[server: nse-1 10.0.0.2]
 *
 * A frame without an answer is followed by one with an answer: a wire keeps the order.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test, type TestContext } from "node:test";
import { type Hosts, hostsFixture, localWire, remoteWire } from "../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../fixtures/forwarder/wire-maker.ts";
import type { ConnectionContext } from "../src/forwarder/wire.ts";
import { be16, bytes, ethernet, ETHERTYPE, FrameSocket, ip, ipv4, macOf } from "../fixtures/linux/frame.ts";
import { encodeEchoRequest } from "../src/linux/icmp/icmp-message.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { Netns } from "../src/kernel/kernel.ts";

const skip = needsRoot;
const context: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };
const STRANGER = "02:00:00:00:00:99";
const BROADCAST = "ff:ff:ff:ff:ff:ff";
const MULTICAST = "01:00:5e:00:00:01";

type Kind = "local" | "remote";

interface Place {
  readonly netns: Netns;
  readonly link: string;
  readonly mac: string;
}

interface Wired {
  readonly hosts: Hosts;
  readonly near: Place;
  readonly far: Place;
  readonly open: (place: Place, ethertype: number) => Promise<FrameSocket>;
}

async function wired(t: TestContext, kind: Kind): Promise<Wired> {
  const hosts = await hostsFixture(t);
  if (kind === "local") await new WireMaker(hosts.alpha).apply(localWire(hosts, context));
  else {
    const { near, far } = remoteWire(hosts, context);
    await new WireMaker(hosts.alpha).apply(near);
    await new WireMaker(hosts.beta).apply(far);
  }
  const place = (netns: Netns, link: string): Place => ({ netns, link, mac: macOf(netns, link) });
  const sockets: FrameSocket[] = [];
  t.after(() => sockets.forEach((socket) => socket.close()));
  return {
    hosts,
    near: place(hosts.client, "nsm-1"),
    far: place(kind === "local" ? hosts.local : hosts.server, "nse-1"),
    open: async (at, ethertype) => {
      const socket = await FrameSocket.open(hosts.net.machine, at, ethertype);
      sockets.push(socket);
      return socket;
    },
  };
}

/** The sequence numbers of the answered echo requests to 10.0.0.2, sent in frames to these MACs. */
async function answered({ near, far, open }: Wired, macs: readonly string[]): Promise<number[]> {
  const socket = await open(near, ETHERTYPE.ipv4);
  const echo = (sequence: number): Uint8Array =>
    ipv4(
      { to: "10.0.0.2", from: "10.0.0.1" },
      1,
      encodeEchoRequest(4, { identifier: 77, sequence, payload: new Uint8Array(32) }),
    );
  for (const [i, to] of [...macs, far.mac].entries())
    socket.send(ethernet({ to, from: near.mac }, ETHERTYPE.ipv4, echo(i)));
  const heard: number[] = [];
  for (;;) {
    // Ethernet 14, IPv4 20: ICMP type at 34, its sequence number at 40.
    const reply = await socket.receive((frame) => frame[23] === 1 && frame[34] === 0);
    const sequence = ((reply[40] ?? 0) << 8) | (reply[41] ?? 0);
    if (sequence === macs.length) return heard;
    heard.push(sequence);
  }
}

/**
 * The targets among 192.0.2.9, …10, … that the far end, now a router, forwards to, from packets in frames to these
 * MACs.
 */
async function forwarded({ hosts, near, far, open }: Wired, macs: readonly string[]): Promise<number[]> {
  const name = hosts.net.nameOf(far.netns);
  const run = (...words: readonly string[]): unknown => execFileSync("ip", ["-n", name, ...words]);
  run("link", "add", "out0", "type", "veth", "peer", "name", "out1");
  run("address", "add", "192.0.2.1/24", "dev", "out0");
  run("link", "set", "out0", "up");
  run("link", "set", "out1", "up");
  execFileSync("ip", ["netns", "exec", name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  const asked = await open({ netns: far.netns, link: "out1", mac: "" }, ETHERTYPE.arp);
  const socket = await open(near, ETHERTYPE.ipv4);
  for (const [i, to] of [...macs, far.mac].entries()) {
    const packet = ipv4({ to: `192.0.2.${9 + i}`, from: "10.0.0.1" }, 253, new Uint8Array(40));
    socket.send(ethernet({ to, from: near.mac }, ETHERTYPE.ipv4, packet));
  }
  const heard: number[] = [];
  for (;;) {
    // Ethernet 14: target address of an ARP request at 38 (RFC 826).
    const request = await asked.receive(
      (frame) => Buffer.compare(frame.subarray(38, 41), ip("192.0.2.1").subarray(0, 3)) === 0,
    );
    const number = (request[41] ?? 0) - 9;
    if (number === macs.length) return heard;
    if (!heard.includes(number)) heard.push(number);
  }
}

for (const kind of ["local", "remote"] as const) {
  test(`no frame for a foreign MAC is answered: ${kind}`, { skip }, async (t) => {
    const wire = await wired(t, kind);
    assert.deepEqual(await answered(wire, [STRANGER, wire.far.mac, STRANGER]), [1]);
  });

  test(`no frame for a foreign MAC, and no broadcast, is forwarded: ${kind}`, { skip }, async (t) => {
    assert.deepEqual(await forwarded(await wired(t, kind), [STRANGER, BROADCAST, MULTICAST]), []);
  });

  test(`frames of every ethertype and size come out unchanged: ${kind}`, { skip }, async (t) => {
    const { near, far, open } = await wired(t, kind);
    const mtu = kind === "local" ? 1500 : 1446;
    // Experimental, LLDP, MPLS, loopback, MACsec, 802.1X.
    for (const ethertype of [0x88b5, 0x88cc, 0x8847, 0x9000, 0x88e5, 0x888e]) {
      const [out, into] = [await open(near, ethertype), await open(far, ethertype)];
      for (const [to, size] of [
        [far.mac, 46],
        [far.mac, mtu],
        [BROADCAST, 100],
        [MULTICAST, 100],
        [STRANGER, 100],
      ] as const) {
        const payload = Uint8Array.from({ length: size }, (_, i) => (i * 7 + ethertype) & 0xff);
        const frame = ethernet({ to, from: near.mac }, ethertype, payload);
        out.send(frame);
        assert.deepEqual(
          await into.receive(() => true),
          frame,
          `ethertype ${ethertype.toString(16)} to ${to}`,
        );
      }
    }
  });

  test(`a frame with a VLAN tag comes out: ${kind}`, { skip }, async (t) => {
    const { near, far, open } = await wired(t, kind);
    // The kernel removes the tag, and delivers the frame to a packet socket by its inner ethertype.
    const [out, into] = [await open(near, 0x8100), await open(far, 0x88b5)];
    const payload = Uint8Array.from({ length: 60 }, (_, i) => i);
    out.send(ethernet({ to: far.mac, from: near.mac }, 0x8100, bytes(be16(0x2005), be16(0x88b5), payload)));
    assert.deepEqual((await into.receive(() => true)).subarray(14), payload);
  });
}

test("a remote wire answers and forwards the same frames as a local one", { skip }, async (t) => {
  const macs = [STRANGER, BROADCAST, MULTICAST];
  const [local, remote] = [await wired(t, "local"), await wired(t, "remote")];
  assert.deepEqual(await answered(remote, macs), await answered(local, macs));
  assert.deepEqual(await forwarded(remote, macs), await forwarded(local, macs));
});
