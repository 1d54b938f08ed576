/**
 * Namespaces for a bench, removed after it even if it is interrupted; leftovers of an earlier killed bench are removed first:
 *
 * ```
 *   [client] [local]           alpha 10.8.0.1 ===veth=== 10.8.0.2 beta          [server]
 *                              alpha 10.8.1.1 = 10.8.1.2 gamma 10.8.2.1 = 10.8.2.2 beta
 * ```
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Wire } from "../src/forwarder/wire.ts";
import type { KernelMechanism } from "../src/mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../src/mechanisms/vxlan/vxlan.ts";
import { LinuxMachine } from "../src/linux/machine/machine.ts";
import type { OpenKernel } from "../src/kernel/privileged.ts";
import { unmount } from "../src/linux/libc/syscall.ts";
import type { Netns } from "../src/kernel/kernel.ts";

export const UNDERLAY_MTU = 1500;
const BPFFS_ROOT = "/run/netloom-bench";
/** On a disk, unlike /run, so that writes of a daemon go to a disk. */
const STATE_ROOT = "/var/tmp/netloom-bench";

/** The part of a wire that a host has. `number` makes every name and number unique. */
export type WireKind = "local" | "near" | "far" | "over-near" | "over" | "over-far";

/** Two hosts with a cable between them, and workloads, without any Netloom process. */
export class Ground {
  readonly machine: LinuxMachine;

  constructor(machine: LinuxMachine) {
    this.machine = machine;
  }

  /** Creates a further namespace, which is removed with the ground. */
  async netns(name: string): Promise<Netns> {
    await this.machine.createNetns(pathOf(name));
    return netnsOf(name);
  }
}

/** Makes the ground, runs `bench` on it, and removes everything; SIGINT and SIGTERM too remove it, then end the process. */
export async function onGround(bench: (ground: Ground) => Promise<void>): Promise<void> {
  sweep((pid) => !existsSync(`/proc/${pid}`));
  const machine = await LinuxMachine.open();
  const removeMine = (): void => sweep((pid) => pid === process.pid);
  for (const signal of ["SIGINT", "SIGTERM"] as const)
    process.once(signal, () => {
      removeMine();
      process.exit(1);
    });
  try {
    for (const name of ["alpha", "beta", "gamma", "client", "local", "server"])
      await machine.createNetns(pathOf(name));
    sh(underlay());
    await bench(new Ground(machine));
  } finally {
    await machine.close();
    removeMine();
  }
}

/** The ground with a kernel worker of this process for each host. */
export class Bed extends Ground {
  readonly alpha: OpenKernel;
  readonly beta: OpenKernel;
  readonly gamma: OpenKernel;

  private constructor(
    machine: LinuxMachine,
    { alpha, beta, gamma }: Readonly<Record<"alpha" | "beta" | "gamma", OpenKernel>>,
  ) {
    super(machine);
    this.alpha = alpha;
    this.beta = beta;
    this.gamma = gamma;
  }

  /** Makes the bed, runs `bench` on it, and removes everything, as `onGround` does. */
  static async use(bench: (bed: Bed) => Promise<void>): Promise<void> {
    await onGround(async ({ machine }) => {
      const kernel = (name: string): Promise<OpenKernel> =>
        machine.kernel({ host: netnsOf(name), bpffs: bpffsOf(name) });
      const [alpha, beta, gamma] = [await kernel("alpha"), await kernel("beta"), await kernel("gamma")];
      await bench(new Bed(machine, { alpha, beta, gamma }));
    });
  }

  /** Waits until the kernel has freed everything that was removed. */
  async settle(): Promise<void> {
    await Promise.all([this.alpha.settle(), this.beta.settle(), this.gamma.settle()]);
  }
}

/** The name of a namespace for `ip -n`. */
export function nameOf(name: string): string {
  return `nlb${process.pid}-${name}`;
}

export function pathOf(name: string): string {
  return `/run/netns/${nameOf(name)}`;
}

export function netnsOf(name: string): Netns {
  return `file://${pathOf(name)}`;
}

/** The folder for the pins of `name`; the first to pin mounts a bpffs there. */
export function bpffsOf(name: string): string {
  return `${BPFFS_ROOT}/${process.pid}-${name}`;
}

/** A folder for files of `name`. The first to write to it creates it. */
export function folderOf(name: string): string {
  return `${STATE_ROOT}/${process.pid}-${name}`;
}

/** Runs the lines in one shell, which ends at the first failing line. */
export function sh(lines: readonly string[]): void {
  execFileSync("sh", ["-eu", "-c", lines.join("\n")], { stdio: ["ignore", "ignore", "inherit"] });
}

export interface WireOptions {
  /** Makes every name, address and VNI unique. 0 to 65535. */
  readonly number: number;
  readonly kind: WireKind;
  /** Adds IPv6 addresses to the wire. Default: false. */
  readonly isDual?: boolean;
  /** Address family of the underlay, for `near` and `far`. Default: 4. */
  readonly underlay?: 4 | 6;
  /** Namespaces of the workloads. Default: `client` and `local`, or `server` for a remote wire. */
  readonly client?: Netns;
  readonly endpoint?: Netns;
}

/** Addresses of the two workloads of the wire `number`. */
export function addressesOf(number: number): { readonly client: string; readonly endpoint: string } {
  const bytes = `${number >> 8}.${number & 255}`;
  return { client: `10.64.${bytes}`, endpoint: `10.65.${bytes}` };
}

/** A wire as a mesh requests it: an address for each end, the other end as neighbour, and a network behind each end. */
export function wireOf({ number, kind, isDual = false, underlay = 4, ...at }: WireOptions): Wire {
  const { client, endpoint } = addressesOf(number);
  const [client6, endpoint6] = [`fd64::${number.toString(16)}`, `fd65::${number.toString(16)}`];
  const behind = (net: number): string => `10.${net}.${number >> 8}.${number & 255}/32`;
  const workload = (netns: Netns, interfaceName: string): KernelMechanism => ({
    type: "KERNEL",
    netns,
    interfaceName,
  });
  const from = workload(at.client ?? netnsOf("client"), `nsm-${number}`);
  const to = workload(at.endpoint ?? netnsOf(kind === "local" ? "local" : "server"), `nse-${number}`);
  const tunnel = tunnelBetween(
    number + 1,
    underlay === 4 ? ["10.8.0.1", "10.8.0.2"] : ["fd08::1", "fd08::2"],
  );
  // The two tunnels over gamma.
  const first = tunnelBetween(number + 1, ["10.8.1.1", "10.8.1.2"]);
  const second = tunnelBetween(number + 70_000, ["10.8.2.1", "10.8.2.2"]);
  const ends = {
    local: { client: from, endpoint: to },
    near: { client: from, endpoint: tunnel },
    far: { client: tunnel, endpoint: to },
    "over-near": { client: from, endpoint: first },
    over: { client: first, endpoint: second },
    "over-far": { client: second, endpoint: to },
  } as const;
  return {
    connectionId: `bench-${number}`,
    ...ends[kind],
    context: {
      srcIpAddrs: [`${client}/32`, ...(isDual ? [`${client6}/128`] : [])],
      dstIpAddrs: [`${endpoint}/32`, ...(isDual ? [`${endpoint6}/128`] : [])],
      srcRoutes: [{ prefix: behind(67), nextHop: endpoint }],
      dstRoutes: [{ prefix: behind(66), nextHop: client }],
    },
  };
}

function tunnelBetween(vni: number, [sourceIp, destinationIp]: readonly [string, string]): VxlanMechanism {
  const zero = { sourceTakesZeroChecksums: true, destinationTakesZeroChecksums: true };
  const isIpv6 = sourceIp.includes(":");
  return {
    type: "VXLAN",
    sourceIp,
    destinationIp,
    vni,
    underlayMtuBytes: UNDERLAY_MTU,
    ...(isIpv6 && zero),
  };
}

function underlay(): string[] {
  const [alpha, beta, gamma] = [nameOf("alpha"), nameOf("beta"), nameOf("gamma")];
  const cable = (
    n: number,
    [from, at]: readonly [string, string],
    [to, there]: readonly [string, string],
  ) => [
    `ip link add ${at} netns ${from} mtu ${UNDERLAY_MTU} type veth peer name ${there} netns ${to} mtu ${UNDERLAY_MTU}`,
    `ip -n ${from} address add 10.8.${n}.1/30 dev ${at}`,
    `ip -n ${to} address add 10.8.${n}.2/30 dev ${there}`,
    `ip -n ${from} link set dev ${at} up`,
    `ip -n ${to} link set dev ${there} up`,
    `ip -n ${from} link show dev ${at}`,
    `ip -n ${to} link show dev ${there}`,
  ];
  return [
    ...cable(1, [alpha, "eth1"], [gamma, "eth1"]),
    ...cable(2, [gamma, "eth2"], [beta, "eth1"]),
    `ip -n ${gamma} link set dev lo up`,
    `ip link add eth0 netns ${alpha} mtu ${UNDERLAY_MTU} type veth peer name eth0 netns ${beta} mtu ${UNDERLAY_MTU}`,
    ...[alpha, beta].flatMap((host, index) => [
      `ip -n ${host} address add 10.8.0.${index + 1}/24 dev eth0`,
      `ip -n ${host} address add fd08::${index + 1}/64 dev eth0 nodad`,
      `ip -n ${host} link set dev eth0 up`,
      `ip -n ${host} link set dev lo up`,
    ]),
    // The kernel's link watch may take a second to see the carrier: a query makes it look at once.
    ...[alpha, beta].map((host) => `ip -n ${host} link show dev eth0`),
  ];
}

/** Removes the namespaces, pins and folders of processes for which `isGone` is true. */
function sweep(isGone: (pid: number) => boolean): void {
  const mine = (name: string, pattern: RegExp): boolean => {
    const pid = pattern.exec(name)?.[1];
    return pid !== undefined && isGone(Number(pid));
  };
  for (const name of list("/run/netns").filter((name) => mine(name, /^nlb(\d+)-/))) {
    unmount(`/run/netns/${name}`);
    rmSync(`/run/netns/${name}`, { force: true });
  }
  const ownFolders = [BPFFS_ROOT, STATE_ROOT].flatMap((root) =>
    list(root).flatMap((name) => (mine(name, /^(\d+)-/) ? [`${root}/${name}`] : [])),
  );
  for (const path of ownFolders) {
    // Never delete a mounted folder file by file: the pins belong to the mount.
    while (isMounted(path)) if (!unmount(path)) break;
    rmSync(path, { recursive: true, force: true });
  }
}

function list(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function isMounted(path: string): boolean {
  return readFileSync("/proc/self/mountinfo", "utf8").includes(` ${path} `);
}
