/**
 * A tunnel only lets out packets that its two hosts have negotiated, and a workload's packets leave only by its own
 * wire:
 *
 *   [client nsm-1]===[alpha 10.8.0.1]====eth0[beta 10.8.0.2]===[nse-1 server]    wire c1, VNI 7, from alpha
 *                    [outside 10.8.1.9]==eth1[             ]===[nse-1 tenant]    wire c2, VNI 9, from 10.8.1.9
 *                                     ===eth2[             ]                     appears later
 *
 * None of the wires has a guard (guards.netns.test.ts): only the tunnels close them.
 *
 * An attack is a hand-made tunnel packet that differs in one property from one that gets in. It has failed when beta
 * has counted it as dropped, and no workload has seen it before a frame that was sent afterwards.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, test, type TestContext } from "node:test";
import { until } from "../fixtures/async/until.ts";
import { type Hosts, hostsFixture, reaches, remoteWire } from "../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../fixtures/forwarder/wire-maker.ts";
import { be16, bytes, ethernet, ETHERTYPE, FrameSocket, ip, ipv4, macOf } from "../fixtures/linux/frame.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import {
  readTunnelPacket,
  type StrangersPacket,
  strangersFragments,
  strangersPacket,
} from "../fixtures/linux/strangers-packet.ts";
import type { ConnectionContext } from "../src/forwarder/wire.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { MAX_STRANGERS, type Stranger } from "../src/kernel/drops.ts";
import { LinuxMachine } from "../src/linux/machine/machine.ts";

const skip = needsRoot;
const machine = await LinuxMachine.open();
after(() => machine.close());

const PORT = 4789;
const MINE = 7;
const TENANTS = 9;
const mine: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };
const tenants: ConnectionContext = { srcIpAddrs: ["10.1.0.1/32"], dstIpAddrs: ["10.1.0.2/32"] };

const underlays = {
  IPv4: {
    alpha: "10.8.0.1",
    beta: "10.8.0.2",
    second: "10.8.0.22",
    outside: "10.8.1.9",
    ethertype: ETHERTYPE.ipv4,
  },
  IPv6: {
    alpha: "fd08::1",
    beta: "fd08::2",
    second: "fd08::22",
    outside: "fd08:1::9",
    ethertype: ETHERTYPE.ipv6,
  },
} as const;
type Underlay = (typeof underlays)[keyof typeof underlays];

/** The place from which an attacker sends: a device that leads to one of beta's. */
interface Cable {
  readonly netns: Netns;
  readonly link: string;
}

class Stage {
  readonly hosts: Hosts;
  readonly underlay: Underlay;
  readonly outside: Netns;
  readonly #server: FrameSocket;
  readonly #tenant: FrameSocket;
  readonly #sockets: FrameSocket[];
  readonly #macs = new Map<string, string>();
  #marks = 0;

  private constructor(
    hosts: Hosts,
    underlay: Underlay,
    outside: Netns,
    sockets: readonly [FrameSocket, FrameSocket],
  ) {
    this.hosts = hosts;
    this.underlay = underlay;
    this.outside = outside;
    this.#sockets = [...sockets];
    [this.#server, this.#tenant] = sockets;
  }

  static async open(t: TestContext, underlay: Underlay): Promise<Stage> {
    const hosts = await hostsFixture(t, machine);
    const outside = await hosts.net.netns();
    const { alpha, beta, second } = underlay;
    plug(hosts, outside, 1);
    addAddress(hosts.net.nameOf(hosts.other), second, "eth0");
    const own = remoteWire(hosts, mine, { sourceIp: alpha, destinationIp: beta, vni: MINE });
    await new WireMaker(hosts.alpha).apply({ ...own.near, guard: "never" });
    const wires = new WireMaker(hosts.beta);
    await wires.apply({ ...own.far, guard: "never" });
    const others = { connectionId: "c2", sourceIp: underlay.outside, destinationIp: beta, vni: TENANTS };
    const theirs = remoteWire({ ...hosts, server: hosts.local }, tenants, others).far;
    await wires.apply({ ...theirs, guard: "never" });
    const listen = async (netns: Netns): Promise<FrameSocket> =>
      await FrameSocket.open(machine, { netns, link: "nse-1" }, ETHERTYPE.ipv4);
    const stage = new Stage(hosts, underlay, outside, [
      await listen(hosts.server),
      await listen(hosts.local),
    ]);
    t.after(() => stage.#sockets.forEach((socket) => socket.close()));
    return stage;
  }

  get eth0(): Cable {
    return { netns: this.hosts.host, link: "eth0" };
  }

  get eth1(): Cable {
    return { netns: this.outside, link: "eth1" };
  }

  async socket(at: Cable, ethertype: number): Promise<FrameSocket> {
    const socket = await FrameSocket.open(machine, at, ethertype);
    this.#sockets.push(socket);
    return socket;
  }

  /**
   * A tunnel packet from alpha in the wire c1, with `change` applied: its inner frame is for the server, and for the
   * tenant too.
   */
  packet(
    at: Cable,
    mark: string,
    change: Partial<StrangersPacket["outer"]> & { readonly vni?: number } = {},
  ): StrangersPacket {
    const { alpha, beta } = this.underlay;
    const { vni = MINE, ...outer } = change;
    return {
      link: { to: this.#macOf(this.hosts.other, at.link), from: this.#macOf(at.netns, at.link) },
      outer: { from: alpha, to: beta, ...outer },
      vni,
      port: PORT,
      inner: innerFrame(this.#macOf(vni === TENANTS ? this.hosts.local : this.hosts.server, "nse-1"), mark),
    };
  }

  /** Fails unless the packet comes out of the wire. */
  async getsIn(
    at: Cable,
    framesOf: (packet: StrangersPacket) => readonly Uint8Array[] = whole,
  ): Promise<void> {
    const mark = this.mark("let in");
    const socket = await this.socket(at, this.underlay.ethertype);
    for (const frame of framesOf(this.packet(at, mark))) socket.send(frame);
    await this.#server.receive((frame) => has(frame, mark));
  }

  /** Sends packets that must not get in. Fails unless beta has dropped each, and none of them comes out anywhere. */
  async isClosed(
    at: Cable,
    changes: readonly Parameters<Stage["packet"]>[2][],
    framesOf: (packet: StrangersPacket) => readonly Uint8Array[] = whole,
  ): Promise<void> {
    const mark = this.mark("attack");
    const socket = await this.socket(at, this.underlay.ethertype);
    const before = await this.unknown();
    for (let sent = 0; sent < changes.length;) {
      // As many as a CPU's queue surely holds.
      for (const change of changes.slice(sent, sent + 100)) {
        for (const frame of framesOf(this.packet(at, mark, change))) socket.send(frame);
        sent++;
      }
      await until(async () => (await this.unknown()) >= before + sent);
    }
    assert.equal(await this.unknown(), before + changes.length);
    await this.#nothingSeen(mark);
  }

  /** Number of packets that beta has dropped because they were not negotiated. */
  async unknown(): Promise<number> {
    const { counts } = await this.hosts.beta.drops();
    return counts.find(({ reason }) => reason === "unknown")?.packets ?? 0;
  }

  /** Beta's entry about a sender of such packets. */
  async stranger(wanted: Partial<Stranger>): Promise<Stranger | undefined> {
    const { strangers } = await this.hosts.beta.drops();
    return strangers.find((each) =>
      Object.entries(wanted).every(([key, value]) => each[key as keyof Stranger] === value),
    );
  }

  /** Checks that the wires carry frames, and that no workload has seen a frame with this mark by then. */
  async #nothingSeen(mark: string): Promise<void> {
    await reaches(this.hosts, this.hosts.client, "10.0.0.2");
    const proof = this.mark("proof");
    await this.#send(this.eth0, strangersPacket(this.packet(this.eth0, proof)));
    await receiveAfter(this.#server, proof, mark);
    await this.isUnseenByTenant(mark);
  }

  /** Checks that the tenant's wire carries frames, and that the tenant has seen no frame with this mark by then. */
  async isUnseenByTenant(mark: string): Promise<void> {
    const proof = this.mark("proof");
    const change = { from: this.underlay.outside, vni: TENANTS };
    await this.#send(this.eth1, strangersPacket(this.packet(this.eth1, proof, change)));
    await receiveAfter(this.#tenant, proof, mark);
  }

  async #send(at: Cable, frame: Uint8Array): Promise<void> {
    (await this.socket(at, this.underlay.ethertype)).send(frame);
  }

  /** Cached, because a sweep has thousands of packets. */
  #macOf(netns: Netns, link: string): string {
    const key = `${netns} ${link}`;
    const mac = this.#macs.get(key) ?? macOf(netns, link);
    this.#macs.set(key, mac);
    return mac;
  }

  mark(what: string): string {
    return `<${what} ${this.#marks++}>`;
  }
}

/** A plain IP packet for a workload, with a mark; long enough for the fast path of either family. */
function innerFrame(to: string, mark: string): Uint8Array {
  const text = new TextEncoder().encode(mark.padEnd(64));
  const datagram = bytes(be16(7), be16(9), be16(8 + text.length), be16(0), text);
  const packet = ipv4({ to: "10.0.0.2", from: "10.0.0.1" }, 17, datagram);
  return ethernet({ to, from: "02:00:00:00:00:99" }, ETHERTYPE.ipv4, packet);
}

function has(frame: Uint8Array, mark: string): boolean {
  return Buffer.from(frame).includes(mark, 0, "latin1");
}

async function receiveAfter(socket: FrameSocket, proof: string, mark: string): Promise<void> {
  await socket.receive((frame) => {
    assert.ok(!has(frame, mark), "it has come out of a wire");
    return has(frame, proof);
  });
}

function whole(packet: StrangersPacket): readonly Uint8Array[] {
  return [strangersPacket(packet)];
}

function addAddress(netns: string, address: string, dev: string): void {
  const words = address.includes(":")
    ? [`${address}/128`, "dev", dev, "nodad"]
    : [`${address}/32`, "dev", dev];
  execFileSync("ip", ["-n", netns, "address", "add", ...words]);
}

/** Adds another uplink of beta, which leads outside. */
function plug({ net, other }: Hosts, outside: Netns, n: number): void {
  const [beta, far] = [net.nameOf(other), net.nameOf(outside)];
  const dev = `eth${n}`;
  execFileSync("ip", ["-n", beta, "link", "add", dev, "type", "veth", "peer", "name", dev, "netns", far]);
  for (const [name, host] of [
    [beta, 1],
    [far, 9],
  ] as const) {
    execFileSync("ip", ["-n", name, "address", "add", `10.8.${n}.${host}/24`, "dev", dev]);
    execFileSync("ip", ["-n", name, "address", "add", `fd08:${n}::${host}/64`, "dev", dev, "nodad"]);
    execFileSync("ip", ["-n", name, "link", "set", dev, "up"]);
  }
}

/** Packets of root in the client, meant for the tenant's wire, or to leave with the host's address. */
async function workloadAttacks(
  stage: Stage,
): Promise<readonly (readonly [string, (mark: string) => void])[]> {
  const { hosts, underlay } = stage;
  const [name, tenant] = [hosts.net.nameOf(hosts.client), macOf(hosts.local, "nse-1")];
  const link = { to: macOf(hosts.server, "nse-1"), from: macOf(hosts.client, "nsm-1") };
  const own = { netns: hosts.client, link: "nsm-1" };
  const [raw, bypass] = [await stage.socket(own, ETHERTYPE.all), await stage.socket(own, ETHERTYPE.all)];
  bypass.bypassQdisc();
  const forged = (mark: string, to: string): Uint8Array =>
    strangersPacket({
      link: { ...link, to },
      outer: { from: underlay.alpha, to: underlay.beta },
      vni: TENANTS,
      port: PORT,
      inner: innerFrame(tenant, mark),
    });
  const tagged = (mark: string): Uint8Array => {
    const frame = innerFrame(tenant, mark);
    return bytes(frame.slice(0, 12), be16(ETHERTYPE.vlan), be16(TENANTS), frame.slice(12));
  };
  const device = await ownDevice(stage, link.to);
  const encapsulated = (mark: string): unknown =>
    execFileSync("ip", ["netns", "exec", name, "bash", "-c", `echo "${mark}" > /dev/udp/10.77.0.1/9`]);
  return [
    ["frame for the tenant", (mark) => raw.send(innerFrame(tenant, mark))],
    ["frame past the qdisc", (mark) => bypass.send(innerFrame(tenant, mark))],
    ["tagged frame", (mark) => bypass.send(tagged(mark))],
    ["forged tunnel packet", (mark) => bypass.send(forged(mark, link.to))],
    ["forged for beta", (mark) => bypass.send(forged(mark, macOf(hosts.other, "eth0")))],
    ["frame of an own tunnel", (mark) => device.send(innerFrame(tenant, mark))],
    ["packet of a route that encapsulates", encapsulated],
  ];
}

/** Makes a VXLAN device with the host's address in the client, and a route that encapsulates. */
async function ownDevice(stage: Stage, server: string): Promise<FrameSocket> {
  const { hosts, underlay } = stage;
  const { alpha, beta } = underlay;
  const name = hosts.net.nameOf(hosts.client);
  const run = (...words: readonly string[]): unknown => execFileSync("ip", ["-n", name, ...words]);
  execFileSync("ip", ["netns", "exec", name, "sysctl", "-qw", "net.ipv6.conf.nsm-1.disable_ipv6=0"]);
  addAddress(name, alpha, "nsm-1");
  run("route", "add", beta, "dev", "nsm-1");
  for (const address of [beta, "10.77.0.1"])
    run("neighbor", "replace", address, "lladdr", server, "nud", "permanent", "dev", "nsm-1");
  const ends = ["id", String(TENANTS), "local", alpha, "remote", beta, "dstport", String(PORT)];
  run("link", "add", "vx", "type", "vxlan", ...ends, "dev", "nsm-1");
  run("link", "set", "vx", "up");
  execFileSync("bridge", ["-n", name, "fdb", "append", "00:00:00:00:00:00", "dev", "vx", "dst", beta]);
  const family = alpha.includes(":") ? "ip6" : "ip";
  const tunnel = ["encap", family, "id", String(TENANTS), "src", alpha, "dst", beta];
  run("route", "add", "10.77.0.0/24", ...tunnel, "dev", "nsm-1");
  return await stage.socket({ netns: hosts.client, link: "vx" }, ETHERTYPE.all);
}

for (const [title, underlay] of Object.entries(underlays)) {
  test(
    `a stranger with the right VNI gets nothing in, teaches no device anything, and is reported: ${title}`,
    { skip },
    async (t) => {
      const stage = await Stage.open(t, underlay);
      await stage.getsIn(stage.eth0);
      const fdb = (): string =>
        execFileSync(
          "bridge",
          ["-n", stage.hosts.net.nameOf(stage.hosts.other), "fdb", "show", "dev", `nlx${PORT}`],
          {
            encoding: "utf8",
          },
        );
      const before = fdb();
      await stage.isClosed(stage.eth1, [{ from: underlay.outside }, { from: underlay.outside }]);
      assert.equal(fdb(), before);
      const from = { source: underlay.outside, destination: underlay.beta, port: PORT, vni: MINE };
      assert.deepEqual(await stage.stranger(from), { ...from, packets: 2 });
    },
  );

  test(
    `a host of the mesh gets nothing into another host's wire, whatever VNI it tries: ${title}`,
    { skip },
    async (t) => {
      const stage = await Stage.open(t, underlay);
      await stage.getsIn(stage.eth0);
      await stage.isClosed(stage.eth0, [{ vni: TENANTS }]);
      const sweep = Array.from({ length: 3000 }, (_, vni) => ({ vni })).filter(({ vni }) => vni !== MINE);
      await stage.isClosed(stage.eth0, sweep);
      assert.ok((await stage.hosts.beta.drops()).strangers.length <= MAX_STRANGERS);
      await stage.getsIn(stage.eth0);
    },
  );

  test(
    `packets with the right source and VNI get nothing in through another address of the host: ${title}`,
    { skip },
    async (t) => {
      const stage = await Stage.open(t, underlay);
      await stage.getsIn(stage.eth0);
      await stage.isClosed(stage.eth0, [{ to: underlay.second }]);
      assert.equal((await stage.stranger({ destination: underlay.second }))?.vni, MINE);
    },
  );

  test(`an uplink that appears later is closed too: ${title}`, { skip }, async (t) => {
    const stage = await Stage.open(t, underlay);
    plug(stage.hosts, stage.outside, 2);
    const eth2 = { netns: stage.outside, link: "eth2" };
    await stage.isClosed(eth2, [{ from: underlay.outside }, { vni: TENANTS }, { to: underlay.second }]);
    // Correct packets come in there too: so the refused ones were otherwise correct.
    await stage.getsIn(eth2);
  });

  test(`fragments of a stranger's packet get nothing in: ${title}`, { skip }, async (t) => {
    const stage = await Stage.open(t, underlay);
    let id = 1;
    const inTwo = (packet: StrangersPacket): readonly Uint8Array[] => strangersFragments(packet, id++);
    await stage.getsIn(stage.eth0, inTwo);
    await stage.isClosed(stage.eth1, [{ from: underlay.outside }], inTwo);
    await stage.isClosed(stage.eth0, [{ vni: TENANTS }, { to: underlay.second }], inTwo);
  });

  test(`root in a workload reaches only the other end of its wire: ${title}`, { skip }, async (t) => {
    const stage = await Stage.open(t, underlay);
    const { other, server } = stage.hosts;
    // Of all types: so the socket also sees what the uplink program takes.
    const capture = await stage.socket({ netns: other, link: "eth0" }, ETHERTYPE.all);
    const end = await stage.socket({ netns: server, link: "nse-1" }, ETHERTYPE.all);
    for (const [what, send] of await workloadAttacks(stage)) {
      const mark = stage.mark(what);
      send(mark);
      const outer = readTunnelPacket(await capture.receive((frame) => has(frame, mark)), PORT);
      assert.deepEqual(
        outer,
        { source: ip(underlay.alpha), vni: MINE },
        `${what}: it leaves by its own wire`,
      );
      await end.receive((frame) => has(frame, mark));
      await stage.isUnseenByTenant(mark);
    }
    assert.equal(await stage.unknown(), 0);
    await reaches(stage.hosts, stage.hosts.client, "10.0.0.2");
  });

  test(
    `a sender with the address of the other host gets in: only encryption tells them apart: ${title}`,
    { skip },
    async (t) => {
      const stage = await Stage.open(t, underlay);
      await stage.getsIn(stage.eth1);
    },
  );
}
