/**
 * Namespaces for a bench, gone after it also when it is interrupted; what an earlier bench left that was killed goes first:
 *
 * ```
 *   [client] [local]           alpha 10.8.0.1 ===veth=== 10.8.0.2 beta          [server]
 * ```
 */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import type { Wire } from "../src/forwarder/wire.ts";
import type { KernelMechanism } from "../src/mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../src/mechanisms/vxlan/vxlan.ts";
import { type LinuxKernel, LinuxMachine } from "../src/linux/machine.ts";
import { unmount } from "../src/linux/syscall.ts";
import type { Netns } from "../src/kernel/kernel.ts";

export const UNDERLAY_MTU = 1500;
const BPFFS_ROOT = "/run/netloom-bench";
/** On a disk, unlike /run: what a daemon writes has to get there. */
const STATE_ROOT = "/var/tmp/netloom-bench";

/** A wire's ends, addresses and, for the half of a remote one, its tunnel. `number` makes every name and number unique. */
export type WireKind = "local" | "near" | "far";

/** Two hosts with a cable between them, and workloads, and nobody who does anything. */
export class Ground {
  readonly machine: LinuxMachine;

  constructor(machine: LinuxMachine) {
    this.machine = machine;
  }

  /** Another namespace, with the ground for as long as that lives. */
  async netns(name: string): Promise<Netns> {
    await this.machine.createNetns(pathOf(name));
    return netnsOf(name);
  }
}

/** Makes the ground, runs `bench` on it, and removes all of it; SIGINT and SIGTERM too remove it, then end the process. */
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
    for (const name of ["alpha", "beta", "client", "local", "server"])
      await machine.createNetns(pathOf(name));
    sh(underlay());
    await bench(new Ground(machine));
  } finally {
    await machine.close();
    removeMine();
  }
}

/** The ground with a kernel of this process for each host. */
export class Bed extends Ground {
  readonly alpha: LinuxKernel;
  readonly beta: LinuxKernel;

  private constructor(machine: LinuxMachine, alpha: LinuxKernel, beta: LinuxKernel) {
    super(machine);
    this.alpha = alpha;
    this.beta = beta;
  }

  /** As `onGround`. */
  static async use(bench: (bed: Bed) => Promise<void>): Promise<void> {
    await onGround(async ({ machine }) => {
      const alpha = await machine.kernel({ host: netnsOf("alpha"), bpffs: bpffsOf("alpha") });
      const beta = await machine.kernel({ host: netnsOf("beta"), bpffs: bpffsOf("beta") });
      await bench(new Bed(machine, alpha, beta));
    });
  }

  /** Waits until the kernel has freed all that was removed. */
  async settle(): Promise<void> {
    await Promise.all([this.alpha.settle(), this.beta.settle()]);
  }
}

/** What `ip -n` wants. */
export function nameOf(name: string): string {
  return `nlb${process.pid}-${name}`;
}

export function pathOf(name: string): string {
  return `/run/netns/${nameOf(name)}`;
}

export function netnsOf(name: string): Netns {
  return `file://${pathOf(name)}`;
}

/** Where the pins of `name` are; whoever pins first mounts a bpffs there. */
export function bpffsOf(name: string): string {
  return `${BPFFS_ROOT}/${process.pid}-${name}`;
}

/** A folder for files of `name`. It is made by whoever writes to it first. */
export function folderOf(name: string): string {
  return `${STATE_ROOT}/${process.pid}-${name}`;
}

/** Runs the lines in one shell, which ends at the first that fails. */
export function sh(lines: readonly string[]): void {
  execFileSync("sh", ["-eu", "-c", lines.join("\n")], { stdio: ["ignore", "ignore", "inherit"] });
}

export interface WireOptions {
  /** Makes every name, address and VNI another. 0 to 65535. */
  readonly number: number;
  readonly kind: WireKind;
  /** IPv6 as well. Default: false. */
  readonly isDual?: boolean;
  /** Where the workloads are. Default: `client` and `local`, or `server` for a remote wire. */
  readonly client?: Netns;
  readonly endpoint?: Netns;
}

/** Addresses of the two workloads of the wire `number`. */
export function addressesOf(number: number): { readonly client: string; readonly endpoint: string } {
  const bytes = `${number >> 8}.${number & 255}`;
  return { client: `10.64.${bytes}`, endpoint: `10.65.${bytes}` };
}

/** A wire as a mesh asks for it: an address for each end, the other end as neighbour, and a network behind each end. */
export function wireOf({ number, kind, isDual = false, ...at }: WireOptions): Wire {
  const { client, endpoint } = addressesOf(number);
  const [client6, endpoint6] = [`fd64::${number.toString(16)}`, `fd65::${number.toString(16)}`];
  const behind = (net: number): string => `10.${net}.${number >> 8}.${number & 255}/32`;
  const tunnel: VxlanMechanism = {
    type: "VXLAN",
    sourceIp: "10.8.0.1",
    destinationIp: "10.8.0.2",
    vni: number + 1,
    underlayMtuBytes: UNDERLAY_MTU,
  };
  const workload = (netns: Netns, interfaceName: string): KernelMechanism => ({
    type: "KERNEL",
    netns,
    interfaceName,
  });
  return {
    connectionId: `bench-${number}`,
    client: kind === "far" ? tunnel : workload(at.client ?? netnsOf("client"), `nsm-${number}`),
    endpoint:
      kind === "near"
        ? tunnel
        : workload(at.endpoint ?? netnsOf(kind === "local" ? "local" : "server"), `nse-${number}`),
    context: {
      srcIpAddrs: [`${client}/32`, ...(isDual ? [`${client6}/128`] : [])],
      dstIpAddrs: [`${endpoint}/32`, ...(isDual ? [`${endpoint6}/128`] : [])],
      srcRoutes: [{ prefix: behind(67), nextHop: endpoint }],
      dstRoutes: [{ prefix: behind(66), nextHop: client }],
    },
  };
}

function underlay(): string[] {
  const [alpha, beta] = [nameOf("alpha"), nameOf("beta")];
  return [
    `ip link add eth0 netns ${alpha} mtu ${UNDERLAY_MTU} type veth peer name eth0 netns ${beta} mtu ${UNDERLAY_MTU}`,
    ...[alpha, beta].flatMap((host, index) => [
      `ip -n ${host} address add 10.8.0.${index + 1}/24 dev eth0`,
      `ip -n ${host} link set dev eth0 up`,
      `ip -n ${host} link set dev lo up`,
    ]),
    // Who asks has link watch, which may take a second, look at the carrier at once.
    ...[alpha, beta].map((host) => `ip -n ${host} link show dev eth0`),
  ];
}

/** Removes the namespaces, pins and folders of processes that `isGone`. */
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
    // Never to be emptied file by file: the pins are the mount's.
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
