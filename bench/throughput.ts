/**
 * The throughput of a wire, compared with devices made by hand in the same workloads, the least work for the kernel:
 *
 *   local-*    [client] nsm-0 ===veth=== nse-0 [local]                raw: a veth pair
 *   remote-*   [client] nsm-1 … alpha ))) VXLAN ((( beta … [server]   raw: a VXLAN device in each workload
 *   remote6-*  the same over an IPv6 underlay
 *   over-*     [client] nsm-2 … alpha ))) VXLAN ((( gamma ))) VXLAN ((( beta … [server]
 *                                                             raw: the same, and in gamma two VXLAN devices that tc joins
 *
 * `remote-segments` is TCP with segments that arrive one by one, as from a NIC; `remote-latency` is the time of an echo.
 *
 * Each row is measured on an empty host (`local-tcp`), and beside 4,000 other wires (`local-tcp-4000`).
 */
import { sized } from "./sized.ts";
import { planWire } from "../src/forwarder/plan/plan-wire.ts";
import { Reconciler } from "../src/forwarder/reconcile/reconcile.ts";
import { addressesOf, Bed, nameOf, sh, UNDERLAY_MTU, type WireKind, wireOf } from "./bed.ts";
import { IperfServer, type Rates, type Traffic } from "./iperf.ts";
import { familyOf } from "../src/net/ip.ts";
import {
  measurePairs,
  type Paired,
  pairedRow,
  percentile,
  plainRow,
  ratiosOf,
  readCpuTimes,
  report,
  spread,
  stealShare,
} from "./report.ts";
import { execFileSync } from "node:child_process";
import { type BenchRow } from "./row.ts";

/** Nine pairs of each of twelve rows in little more than a minute leave this time for a run. */
const RUN_SECONDS = Number(process.env["BENCH_RUN_SECONDS"] ?? sized(0.3, 0.1));
const PAIRS = sized(9, 1);
/** Number of other wires for the rows that end in `-4000`. */
const OTHERS = sized(4000, 20);
/** Number of workload pairs that the other wires are spread over. */
const OTHER_PAIRS = 20;

const VXLAN_OVERHEAD = { 4: 54, 6: 74 } as const;
/** Echoes per turn. */
const ECHOES = sized(100, 10);

interface Subject {
  readonly name: string;
  /** The server in the workload of the far end. */
  readonly server: IperfServer;
  /** Addresses of the far end: through the wire, and by the devices made by hand. */
  readonly wire: string;
  readonly raw: string;
}

/** Makes devices without Netloom in the same workloads, with the MTU of the wires. */
function rawDevices(): string[] {
  const [alpha, beta, gamma] = [nameOf("alpha"), nameOf("beta"), nameOf("gamma")];
  const [client, local, server] = [nameOf("client"), nameOf("local"), nameOf("server")];
  const up = (netns: string, device: string, address: string): string[] => [
    `ip -n ${netns} address add ${address}/24 dev ${device}`,
    `ip -n ${netns} link set dev ${device} up`,
  ];
  const vxlan = (
    [host, netns]: readonly [string, string],
    [device, vni]: readonly [string, number],
    [from, to]: readonly [string, string],
  ): string =>
    `ip -n ${host} link add ${device} netns ${netns} mtu ${UNDERLAY_MTU - VXLAN_OVERHEAD[familyOf(from)]} type vxlan id ${vni} ` +
    `local ${from} remote ${to} dstport 8472`;
  const joined = (from: string, to: string): string[] => [
    `ip -n ${gamma} link set dev ${from} up`,
    `tc -n ${gamma} qdisc add dev ${from} clsact`,
    `tc -n ${gamma} filter add dev ${from} ingress protocol all u32 match u32 0 0 action mirred egress redirect dev ${to}`,
  ];
  return [
    `ip link add raw0 netns ${client} type veth peer name raw0 netns ${local}`,
    ...up(client, "raw0", "10.70.0.1"),
    ...up(local, "raw0", "10.70.0.2"),
    vxlan([alpha, client], ["raw1", 70_001], ["10.8.0.1", "10.8.0.2"]),
    vxlan([beta, server], ["raw1", 70_001], ["10.8.0.2", "10.8.0.1"]),
    vxlan([alpha, client], ["raw2", 150_001], ["10.8.1.1", "10.8.1.2"]),
    vxlan([gamma, gamma], ["raw2", 150_001], ["10.8.1.2", "10.8.1.1"]),
    vxlan([gamma, gamma], ["raw3", 150_002], ["10.8.2.1", "10.8.2.2"]),
    vxlan([beta, server], ["raw2", 150_002], ["10.8.2.2", "10.8.2.1"]),
    vxlan([alpha, client], ["raw6", 70_006], ["fd08::1", "fd08::2"]),
    vxlan([beta, server], ["raw6", 70_006], ["fd08::2", "fd08::1"]),
    ...up(client, "raw6", "10.76.0.1"),
    ...up(server, "raw6", "10.76.0.2"),
    ...joined("raw2", "raw3"),
    ...joined("raw3", "raw2"),
    ...up(client, "raw1", "10.71.0.1"),
    ...up(server, "raw1", "10.71.0.2"),
    ...up(client, "raw2", "10.72.0.1"),
    ...up(server, "raw2", "10.72.0.2"),
  ];
}

class ThroughputBench {
  readonly #bed: Bed;
  readonly #alpha: Reconciler;
  readonly #beta: Reconciler;
  readonly #gamma: Reconciler;
  readonly notes: string[] = [];

  constructor(bed: Bed) {
    this.#bed = bed;
    this.#alpha = new Reconciler(bed.alpha);
    this.#beta = new Reconciler(bed.beta);
    this.#gamma = new Reconciler(bed.gamma);
  }

  async make(): Promise<readonly Subject[]> {
    sh(rawDevices());
    await this.#alpha.apply(planWire(wireOf({ number: 0, kind: "local" })));
    await this.#beta.apply(planWire(wireOf({ number: 1, kind: "far" })));
    await this.#alpha.apply(planWire(wireOf({ number: 1, kind: "near" })));
    await this.#beta.apply(planWire(wireOf({ number: 65_000, kind: "far", underlay: 6 })));
    await this.#alpha.apply(planWire(wireOf({ number: 65_000, kind: "near", underlay: 6 })));
    await this.#beta.apply(planWire(wireOf({ number: 2, kind: "over-far" })));
    await this.#gamma.apply(planWire(wireOf({ number: 2, kind: "over" })));
    await this.#alpha.apply(planWire(wireOf({ number: 2, kind: "over-near" })));
    const server = new IperfServer("server");
    return [
      {
        name: "local",
        server: new IperfServer("local"),
        wire: addressesOf(0).endpoint,
        raw: "10.70.0.2",
      },
      {
        name: "remote",
        server,
        wire: addressesOf(1).endpoint,
        raw: "10.71.0.2",
      },
      {
        name: "remote6",
        server,
        wire: addressesOf(65_000).endpoint,
        raw: "10.76.0.2",
      },
      {
        name: "over",
        server,
        wire: addressesOf(2).endpoint,
        raw: "10.72.0.2",
      },
    ];
  }

  /** Half of the other wires are local, half remote, all between workloads of their own. */
  async makeOthers(): Promise<void> {
    const workloads = await Promise.all(
      Array.from({ length: OTHER_PAIRS }, async (_, n) => ({
        client: await this.#bed.netns(`other-${n}`),
        endpoint: await this.#bed.netns(`another-${n}`),
      })),
    );
    for (let n = 0; n < OTHERS; n++) {
      const kinds: readonly WireKind[] = n % 2 === 0 ? ["local"] : ["far", "near"];
      const at = workloads[n % OTHER_PAIRS];
      for (const kind of kinds) {
        const reconciler = kind === "far" ? this.#beta : this.#alpha;
        await reconciler.apply(planWire(wireOf({ number: 3 + n, kind, ...at })));
      }
    }
  }

  async row(
    subject: Subject,
    traffic: Traffic,
    suffix: string,
    name = `${subject.name}-${traffic}${suffix}`,
  ): Promise<BenchRow> {
    const run = (address: string, bytes: number): Promise<Rates> =>
      subject.server.run({ netns: "client", address, traffic, bytes });
    const bytes = await this.#calibrate(traffic, (bytes) => run(subject.raw, bytes));
    const { repeated, ...rates } = await measurePairs({
      pairs: PAIRS,
      subject: () => run(subject.wire, bytes),
      baseline: () => run(subject.raw, bytes),
    });
    const by = (clock: keyof Rates): Paired => ({
      subject: rates.subject.map((each) => each[clock]),
      baseline: rates.baseline.map((each) => each[clock]),
      repeated,
    });
    const [perCpu, perSecond] = [by("perCpuSecond"), by("perSecond")];
    this.notes.push(
      `${name}: ratios ${quartiles(perCpu)}, spread ${spread(perCpu.subject)}, raw ${spread(perCpu.baseline)}; by the clock ` +
        `${percentile(ratiosOf(perSecond), 50).toFixed(2)}, ${quartiles(perSecond)}; repeated ${repeated}`,
    );
    const unit = traffic === "tcp" ? "bit/CPU-s" : "packet/CPU-s";
    return pairedRow(name, unit, perCpu);
  }

  /** Measures a wire between hosts whose uplinks send segments one by one and merge received ones like a NIC (GRO). */
  async segments(subject: Subject): Promise<BenchRow> {
    const set = (aggregates: "on" | "off", gro: "on" | "off"): void =>
      sh(
        ["alpha", "beta"].map(
          (host) =>
            `ip netns exec ${nameOf(host)} ethtool -K eth0 tso ${aggregates} gso ${aggregates} gro ${gro}`,
        ),
      );
    set("off", "on");
    try {
      return await this.row(subject, "tcp", "", `${subject.name}-segments`);
    } finally {
      set("on", "off");
    }
  }

  /** Measures echoes in turns with the device made by hand; the ratio is that of the medians. */
  latency({ name, wire, raw }: Subject): BenchRow {
    const [own, others]: [number[], number[]] = [[], []];
    for (let turn = 0; turn < 2 * PAIRS; turn++) {
      own.push(...echoes(wire));
      others.push(...echoes(raw));
    }
    const row = plainRow(`${name}-latency`, "µs", own);
    const baseline = percentile(others, 50);
    this.notes.push(`${row.name}: p99 of the device made by hand ${percentile(others, 99).toFixed(0)} µs`);
    return { ...row, baseline, ratio: row.value / baseline };
  }

  /** The number of bytes that take RUN_SECONDS, from a short run that also warms up. */
  async #calibrate(traffic: Traffic, run: (bytes: number) => Promise<Rates>): Promise<number> {
    const each = traffic === "tcp" ? 1 / 8 : 64;
    const { perSecond } = await run(traffic === "tcp" ? 300e6 : 2e6);
    return Math.round((perSecond * each * RUN_SECONDS) / 64) * 64;
  }
}

/** The quartiles of the ratios: `0.92 to 1.01 (quartiles)`. */
function quartiles(paired: Paired): string {
  const [low, high] = [25, 75].map((percent) => percentile(ratiosOf(paired), percent).toFixed(2));
  return `${low} to ${high} (quartiles)`;
}

/** Microseconds of each echo from the client. The first one finds cold caches and does not count. */
function echoes(address: string): number[] {
  const args = [
    "netns",
    "exec",
    nameOf("client"),
    "ping",
    "-n",
    "-i",
    "0.002",
    "-c",
    String(ECHOES),
    address,
  ];
  const text = execFileSync("ip", args, { encoding: "utf8" });
  return [...text.matchAll(/time=([0-9.]+) ms/g)].slice(1).map(([, ms]) => 1_000 * Number(ms));
}

await Bed.use(async (bed) => {
  const bench = new ThroughputBench(bed);
  const subjects = await bench.make();
  const rows: BenchRow[] = [];
  const before = readCpuTimes();
  try {
    for (const suffix of ["", "-4000"]) {
      if (suffix !== "") await bench.makeOthers();
      for (const subject of subjects)
        for (const traffic of ["tcp", "udp64"] as const) rows.push(await bench.row(subject, traffic, suffix));
      const remote = subjects.find(({ name }) => name === "remote");
      if (remote && suffix === "") rows.push(await bench.segments(remote), bench.latency(remote));
    }
  } finally {
    for (const server of new Set(subjects.map((each) => each.server))) await server.stop();
  }
  const stolen = stealShare(before, readCpuTimes());
  report("throughput", rows, [
    ...bench.notes,
    `runs of ${RUN_SECONDS} s, stolen ${(100 * stolen).toFixed(1)} %`,
  ]);
});
