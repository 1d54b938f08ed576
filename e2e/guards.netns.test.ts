/**
 * A side of a wire may send from its own addresses, from prefixes routed to it, and for ETHERNET from its own MAC.
 * Anything else, whatever rights the sender has in its namespace, is dropped by its host, by the host of the other
 * side, or by the pair in the middle:
 *
 *   remote   [client nsm-1]===[alpha]====underlay====[beta]===[nse-1 server]     checked on both hosts
 *   unaided  the same, and alpha checks nothing, like a foreign implementation   checked on beta
 *   local    [client nsm-1]===nlv… alpha nlv…===[nse-1 local]                    a service with `guard: true`
 *
 * A frame is sent past the queues of its device. It has failed when it is counted by its reason, and the other side has
 * not seen it before a good frame that was sent afterwards.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { after, test, type TestContext } from "node:test";
import { until } from "../fixtures/async/until.ts";
import { type Hosts, hostsFixture, localWire, reaches, remoteWire } from "../fixtures/forwarder/hosts.ts";
import { WireMaker } from "../fixtures/forwarder/wire-maker.ts";
import {
  be16,
  bytes,
  ethernet,
  ETHERTYPE,
  FrameSocket,
  icmpv6,
  ip,
  ipv4,
  ipv6,
  mac,
  macOf,
} from "../fixtures/linux/frame.ts";
import { needsRoot } from "../fixtures/linux/netns.ts";
import type { ConnectionContext, Wire } from "../src/forwarder/wire.ts";
import { DROP_REASONS, type DropReason, type Offence } from "../src/kernel/drops.ts";
import type { Netns } from "../src/kernel/kernel.ts";
import { LinuxMachine } from "../src/linux/machine/machine.ts";

const skip = needsRoot;
const machine = await LinuxMachine.open();
after(() => machine.close());

const context: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
  srcRoutes: [{ prefix: "10.9.0.0/16" }, { prefix: "fd09::/48" }],
  dstRoutes: [{ prefix: "10.7.0.0/24" }, { prefix: "fd07::/48" }],
};
const STRANGER = "02:00:00:00:00:99";
const UDP = 17;

const ALL: readonly DropReason[] = DROP_REASONS;

type Kind = "remote" | "unaided" | "local";

/** A frame of the client, made for a given recipient. */
interface Case {
  readonly title: string;
  readonly frame: (mark: string, link: { readonly to: string; readonly from: string }) => Uint8Array;
  readonly reason?: DropReason;
}

const datagram = (mark: string, port = 9): Uint8Array => {
  const text = new TextEncoder().encode(mark.padEnd(64));
  return bytes(be16(7), be16(port), be16(8 + text.length), be16(0), text);
};
const four =
  (from: string, port?: number, to = "10.0.0.2"): Case["frame"] =>
  (mark, link) =>
    ethernet(link, ETHERTYPE.ipv4, ipv4({ from, to }, UDP, datagram(mark, port)));
const six =
  (from: string, port?: number): Case["frame"] =>
  (mark, link) =>
    ethernet(link, ETHERTYPE.ipv6, ipv6({ from, to: "fd00::2" }, UDP, datagram(mark, port)));
const arp =
  (claimed: string, who?: string): Case["frame"] =>
  (mark, link) => {
    const ends = bytes(mac(who ?? link.from), ip(claimed), mac(link.to), ip("10.0.0.2"));
    return ethernet(
      link,
      ETHERTYPE.arp,
      bytes([0, 1, 8, 0, 6, 4, 0, 2], ends, new TextEncoder().encode(mark)),
    );
  };
const neighbor =
  (type: number, from: string, about: string): Case["frame"] =>
  (mark, link) =>
    ethernet(
      link,
      ETHERTYPE.ipv6,
      icmpv6({ from, to: "fd00::2" }, type, bytes([0, 0, 0, 0], ip(about), new TextEncoder().encode(mark))),
    );
/** A frame with a source routing header that leads on. */
const routed4: Case["frame"] = (mark, link) => {
  const packet = ipv4(
    { from: "10.0.0.1", to: "10.0.0.2" },
    UDP,
    bytes([131, 7, 4, 10, 9, 0, 1, 0], datagram(mark)),
  );
  packet[0] = 0x47;
  return ethernet(link, ETHERTYPE.ipv4, packet);
};
const routed6: Case["frame"] = (mark, link) => {
  const header = bytes([UDP, 2, 4, 1, 0, 0, 0, 0], ip("fd09::1"));
  return ethernet(
    link,
    ETHERTYPE.ipv6,
    ipv6({ from: "fd00::1", to: "fd00::2" }, 43, bytes(header, datagram(mark))),
  );
};
/** An unknown router reports that a packet of the server to a granted address cannot go on. */
const error4 =
  (about: string): Case["frame"] =>
  (mark, link) => {
    const quoted = ipv4({ from: "10.0.0.2", to: about }, UDP, datagram(mark));
    return ethernet(
      link,
      ETHERTYPE.ipv4,
      ipv4({ from: "192.0.2.1", to: "10.0.0.2" }, 1, bytes([3, 4, 0, 0, 0, 0, 5, 0], quoted)),
    );
  };
/** Linux accepts it in a namespace whose `all` sysctl allows it, whatever the device's says. */
const redirect4: Case["frame"] = (mark, link) => {
  const quoted = ipv4({ from: "10.0.0.2", to: "10.9.0.1" }, UDP, datagram(mark));
  const message = bytes([5, 1, 0, 0], ip("10.0.0.1"), quoted);
  return ethernet(link, ETHERTYPE.ipv4, ipv4({ from: "10.0.0.1", to: "10.0.0.2" }, 1, message));
};
const doubleTagged: Case["frame"] = (mark, link) => {
  const plain = four("10.6.6.6")(mark, link);
  return bytes(
    plain.slice(0, 12),
    be16(ETHERTYPE.vlan),
    be16(0),
    be16(ETHERTYPE.vlan),
    be16(0),
    plain.slice(12),
  );
};
const priorityTagged: Case["frame"] = (mark, link) => {
  const plain = four("10.6.6.6")(mark, link);
  return bytes(plain.slice(0, 12), be16(ETHERTYPE.vlan), be16(0), plain.slice(12));
};
const foreignMac: Case["frame"] = (mark, link) => four("10.0.0.1")(mark, { ...link, from: STRANGER });

const CASES: readonly Case[] = [
  { title: "an address of its own, IPv4", frame: four("10.0.0.1") },
  { title: "an address of its own, IPv6", frame: six("fd00::1") },
  { title: "an address behind it, IPv4", frame: four("10.7.0.44") },
  { title: "an address behind it, IPv6", frame: six("fd07::44") },
  { title: "its link-local address", frame: six("fe80::1") },
  { title: "a DHCP request without an address yet", frame: four("0.0.0.0", 67, "255.255.255.255") },
  { title: "a claim to its own address", frame: arp("10.0.0.1") },
  { title: "an error from a router on the way", frame: error4("10.7.0.9") },
  { title: "another address, IPv4", frame: four("10.6.6.6"), reason: "source" },
  { title: "another address, IPv6", frame: six("fd66::6"), reason: "source" },
  { title: "the other side's own address", frame: four("10.0.0.2"), reason: "source" },
  { title: "an address behind the other side", frame: four("10.9.0.1"), reason: "source" },
  { title: "no source address in a unicast packet", frame: four("0.0.0.0"), reason: "source" },
  { title: "an error about a packet that it never got", frame: error4("10.6.6.6"), reason: "source" },
  { title: "another address with a priority tag", frame: priorityTagged, reason: "source" },
  { title: "a claim to another address, by ARP", frame: arp("10.9.0.1"), reason: "source" },
  {
    title: "a claim to another address, by ND",
    frame: neighbor(136, "fd00::1", "fd09::1"),
    reason: "source",
  },
  { title: "a claim by asking for an address", frame: neighbor(135, "::", "fd00::2"), reason: "source" },
  { title: "another MAC", frame: foreignMac, reason: "mac" },
  { title: "a claim for another MAC", frame: arp("10.0.0.1", STRANGER), reason: "mac" },
  { title: "an answer of a DHCP server", frame: four("10.0.0.1", 68), reason: "server" },
  { title: "an answer of a DHCP server, IPv6", frame: six("fd00::1", 546), reason: "server" },
  { title: "a router advertisement", frame: neighbor(134, "fe80::1", "::"), reason: "server" },
  { title: "a redirect, IPv4", frame: redirect4, reason: "server" },
  { title: "a redirect", frame: neighbor(137, "fe80::1", "fd09::1"), reason: "server" },
  { title: "a source route, IPv4", frame: routed4, reason: "source-routed" },
  { title: "a source route, IPv6", frame: routed6, reason: "source-routed" },
  { title: "two priority tags", frame: doubleTagged, reason: "unreadable" },
];

class Stage {
  readonly hosts: Hosts;
  readonly #kind: Kind;
  readonly #raw: FrameSocket;
  readonly #far: FrameSocket;
  readonly #link: { readonly to: string; readonly from: string };
  #marks = 0;

  private constructor(hosts: Hosts, kind: Kind, sockets: readonly [FrameSocket, FrameSocket]) {
    this.hosts = hosts;
    this.#kind = kind;
    [this.#raw, this.#far] = sockets;
    this.#link = { from: macOf(hosts.client, "nsm-1"), to: macOf(this.far, "nse-1") };
  }

  static async open(
    t: TestContext,
    kind: Kind,
    change: (wire: Wire) => Wire = (wire) => wire,
  ): Promise<Stage> {
    const hosts = await hostsFixture(t, machine);
    const of = (wire: Wire): Wire => change({ ...wire, payload: "ETHERNET" });
    if (kind === "local")
      await new WireMaker(hosts.alpha).apply(of({ ...localWire(hosts, context), guard: "always" }));
    else {
      const { near, far } = remoteWire(hosts, context);
      await new WireMaker(hosts.alpha).apply(of(kind === "unaided" ? { ...near, guard: "never" } : near));
      await new WireMaker(hosts.beta).apply(of(far));
    }
    const server = kind === "local" ? hosts.local : hosts.server;
    const listen = async (netns: Netns, link: string): Promise<FrameSocket> =>
      await FrameSocket.open(machine, { netns, link }, ETHERTYPE.all);
    const sockets = [await listen(hosts.client, "nsm-1"), await listen(server, "nse-1")] as const;
    t.after(() => sockets.forEach((socket) => socket.close()));
    sockets[0].bypassQdisc();
    return new Stage(hosts, kind, sockets);
  }

  get far(): Netns {
    return this.#kind === "local" ? this.hosts.local : this.hosts.server;
  }

  /**
   * Dropped packets by reason, counted where they must be dropped: only a workload's own host knows whom the workload
   * lets serve it.
   */
  async dropped(): Promise<Map<DropReason, number>> {
    const { alpha, beta } = this.hosts;
    const onAlpha =
      this.#kind === "local" ? ALL : this.#kind === "remote" ? ALL.filter((each) => each !== "server") : [];
    const all = new Map<DropReason, number>();
    for (const [kernel, isRight] of [
      [alpha, (reason: DropReason) => onAlpha.includes(reason)],
      [beta, (reason: DropReason) => !onAlpha.includes(reason)],
    ] as const)
      for (const { reason, packets } of (await kernel.drops()).counts) {
        assert.ok(isRight(reason), `${reason} is the other host's to drop`);
        all.set(reason, packets);
      }
    return all;
  }

  async offences(): Promise<readonly Offence[]> {
    const { alpha, beta } = this.hosts;
    return (await Promise.all([alpha, beta].map(async (kernel) => (await kernel.drops()).offences))).flat();
  }

  /** Fails unless the frame gets through, or is counted and does not get through. */
  async judges({ frame, reason }: Case): Promise<void> {
    const mark = `<case ${this.#marks++}>`;
    const before = await this.dropped();
    this.#raw.send(frame(mark, this.#link));
    const proof = reason === undefined ? mark : `<proof ${this.#marks++}>`;
    if (reason !== undefined) this.#raw.send(four("10.0.0.1")(proof, this.#link));
    await this.#far.receive((seen) => {
      assert.ok(reason === undefined || !has(seen, mark), "it has come out of the wire");
      return has(seen, proof);
    });
    const now = await this.dropped();
    if (reason !== undefined) before.set(reason, (before.get(reason) ?? 0) + 1);
    assert.deepEqual(now, before);
  }
}

function has(frame: Uint8Array, mark: string): boolean {
  return Buffer.from(frame).includes(mark, 0, "latin1");
}

for (const kind of ["remote", "unaided", "local"] as const)
  test(`permitted frames get through, and all others are counted: ${kind}`, { skip }, async (t) => {
    const stage = await Stage.open(t, kind);
    await reaches(stage.hosts, stage.hosts.client, "10.0.0.2");
    await reaches(stage.hosts, stage.hosts.client, "fd00::2");
    await reaches(stage.hosts, stage.far, "10.0.0.1");
    for (const each of CASES) await t.test(each.title, async () => await stage.judges(each));
    const told = await stage.offences();
    assert.deepEqual(new Map(told.map(({ reason, packets }) => [reason, packets])), await stage.dropped());
    for (const { link = "", isArrived, reason } of told) {
      assert.match(link, /^nlv/);
      const isFar = kind === "unaided" || (kind === "remote" && reason === "server");
      assert.equal(isArrived, isFar ? true : undefined);
    }
  });

test(
  "a workload that asks for a router and for DHCP gets their answers, and nothing else that is not granted",
  { skip },
  async (t) => {
    const stage = await Stage.open(t, "remote", (wire) =>
      wire.endpoint.type === "KERNEL"
        ? { ...wire, endpoint: { ...wire.endpoint, dhcp: true, routerAdvertisements: true } }
        : wire,
    );
    for (const { frame, reason } of CASES)
      await stage.judges({
        title: "",
        frame,
        ...(reason !== undefined && reason !== "server" && { reason }),
      });
  },
);

test(
  "grants change while the wire is up, and packets that stay granted are not lost",
  { skip },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const [alpha, beta] = [new WireMaker(hosts.alpha), new WireMaker(hosts.beta)];
    const apply = async (change: Partial<ConnectionContext>, guard?: Wire["guard"]): Promise<void> => {
      const { near, far } = remoteWire(hosts, { ...context, ...change });
      const how = { payload: "ETHERNET" as const, ...(guard && { guard }) };
      await Promise.all([alpha.apply({ ...near, ...how }), beta.apply({ ...far, ...how })]);
    };
    await apply({});
    const from = macOf(hosts.client, "nsm-1");
    const to = macOf(hosts.server, "nse-1");
    const far = await FrameSocket.open(machine, { netns: hosts.server, link: "nse-1" }, ETHERTYPE.all);
    const raw = await FrameSocket.open(machine, { netns: hosts.client, link: "nsm-1" }, ETHERTYPE.all);
    t.after(() => [far, raw].forEach((socket) => socket.close()));
    let n = 0;
    const gets = async (source: string): Promise<boolean> => {
      const [mark, proof] = [`<try ${n}>`, `<proof ${n++}>`];
      raw.send(four(source)(mark, { from, to }));
      raw.send(four("10.0.0.1")(proof, { from, to }));
      let isThere = false;
      await far.receive((frame) => {
        isThere ||= has(frame, mark);
        return has(frame, proof);
      });
      return isThere;
    };
    assert.deepEqual([await gets("10.7.0.1"), await gets("10.3.0.1")], [true, false]);
    await apply({ dstRoutes: [{ prefix: "10.3.0.0/16" }] });
    assert.deepEqual([await gets("10.7.0.1"), await gets("10.3.0.1")], [false, true]);
    await apply({ policies: [] }, "never");
    assert.deepEqual([await gets("10.7.0.1"), await gets("10.6.6.6")], [true, true]);
    await apply({});
    assert.deepEqual([await gets("10.7.0.1"), await gets("10.6.6.6")], [true, false]);
    await Promise.all([alpha.remove("c1"), beta.remove("c1")]);
  },
);

test(
  "root in its own user namespace cannot send from a foreign address or remove the guard",
  { skip },
  async (t) => {
    const hosts = await hostsFixture(t, machine);
    const guest = spawn(
      "unshare",
      ["--user", "--map-root-user", "--net", "sh", "-c", "echo ready; exec sleep 600"],
      {
        stdio: ["ignore", "pipe", "ignore"],
      },
    );
    t.after(() => guest.kill("SIGKILL"));
    await new Promise((resolve) => guest.stdout.once("data", resolve));
    const netns = `file:///proc/${guest.pid}/ns/net` as const;
    const wire = localWire({ ...hosts, client: netns }, context);
    await new WireMaker(hosts.alpha).apply({ ...wire, guard: "always" });
    const far = await FrameSocket.open(machine, { netns: hosts.local, link: "nse-1" }, ETHERTYPE.ipv4);
    t.after(() => far.close());
    const inGuest = (...words: readonly string[]): string =>
      execFileSync(
        "nsenter",
        ["--target", String(guest.pid), "--user", "--net", "--preserve-credentials", ...words],
        {
          encoding: "utf8",
          stdio: ["ignore", "pipe", "pipe"],
        },
      );
    inGuest("tc", "qdisc", "add", "dev", "nsm-1", "clsact");
    inGuest("tc", "qdisc", "del", "dev", "nsm-1", "clsact");
    inGuest("ip", "address", "add", "10.6.6.6/32", "dev", "nsm-1");
    const send = (source: string, mark: string): string =>
      inGuest(
        "bash",
        "-c",
        `ip route replace 10.0.0.2 dev nsm-1 src ${source} && echo "${mark}" > /dev/udp/10.0.0.2/9`,
      );
    send("10.6.6.6", "<spoofed>");
    send("10.0.0.1", "<own>");
    await far.receive((frame) => {
      assert.ok(!has(frame, "<spoofed>"), "it has come out of the wire");
      return has(frame, "<own>");
    });
    await until(async () => {
      const { counts } = await hosts.alpha.drops();
      return counts.some(({ reason, packets }) => reason === "source" && packets === 1);
    });
  },
);
