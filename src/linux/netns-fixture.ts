/** Namespaces for a test, all gone after it: `const net = await netnsFixture(t); const a = await net.netns();` */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Netns } from "../world/kernel.ts";
import { Datapath } from "./bpf/datapath.ts";
import { LAB_MARK, LinuxMachine, type KernelOptions, type LinuxKernel, MESH_MARK } from "./machine.ts";

/** For `test(title, { skip: needsRoot }, …)`: false for root, else the reason. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : "needs root";

const BPFFS_ROOT = "/run/netloom-test";

export interface NetnsFixture {
  readonly machine: LinuxMachine;
  /** A private directory for pins, below /run/netloom-test. */
  readonly bpffs: string;
  /** Creates the namespace /run/netns/nlt<pid>-<n> with `lo` down, and returns `file:///run/netns/nlt<pid>-<n>`. */
  netns(): Promise<Netns>;
  /** A kernel with this fixture's bpffs, closed after the test. Default host: a new namespace of the fixture. */
  kernel(options?: Partial<KernelOptions>): Promise<LinuxKernel>;
  /** What `ip netns exec` and `nsenter` want: `nlt<pid>-<n>`. */
  nameOf(netns: Netns): string;
}

let count = 0;

/**
 * Makes a fixture that cleans up after `t`, also when it fails, and fails `t` when something is left behind: devices of
 * our groups in its namespaces, pins, mounts, namespaces, or a thread in a foreign namespace. What an earlier process
 * left when it was killed is removed first.
 */
export async function netnsFixture(t: TestContext): Promise<NetnsFixture> {
  const machine = await LinuxMachine.open();
  const bpffs = `${BPFFS_ROOT}/${process.pid}-${++count}`;
  const paths: string[] = [];
  const kernels: { kernel: LinuxKernel; host: Netns }[] = [];
  t.after(async () => {
    const problems: string[] = [];
    try {
      for (const { kernel } of kernels)
        await kernel.settle().catch((error: unknown) => problems.push(String(error)));
      problems.push(...(await leftBehind(machine, bpffs, paths)));
    } finally {
      for (const path of paths) await machine.removeNetns(path);
      await machine.close();
      removePins(bpffs);
    }
    problems.push(...remains(paths, bpffs));
    assert.deepEqual(problems, [], "something is left behind");
  });
  await sweepDead(machine);
  const fixture: NetnsFixture = {
    machine,
    bpffs,
    async netns() {
      const path = `/run/netns/nlt${process.pid}-${++count}`;
      await machine.createNetns(path);
      paths.push(path);
      return `file://${path}`;
    },
    async kernel(options = {}) {
      const host = options.host ?? (await fixture.netns());
      const kernel = await machine.kernel({ bpffs, ...options, host });
      kernels.push({ kernel, host });
      return kernel;
    },
    nameOf: (netns) => netns.slice(netns.lastIndexOf("/") + 1),
  };
  return fixture;
}

/** Devices and pins that a test has not removed. */
async function leftBehind(machine: LinuxMachine, bpffs: string, paths: readonly string[]): Promise<string[]> {
  const problems: string[] = [];
  for (const mark of [MESH_MARK, LAB_MARK]) {
    const kernel = await machine.kernel({ bpffs, mark });
    for (const path of paths.filter((path) => existsSync(path))) {
      const objects = await kernel.observe([{ netns: `file://${path}` }]).catch(() => []);
      problems.push(...objects.map((object) => `${path}: ${JSON.stringify(object)}`));
    }
    await kernel.close();
  }
  const pins = existsSync(`${bpffs}/links`) ? readdirSync(`${bpffs}/links`) : [];
  return [...problems, ...pins.map((pin) => `pin ${pin}`)];
}

function removePins(bpffs: string): void {
  if (existsSync(`${bpffs}/links`)) Datapath.open(bpffs).destroy();
  rmSync(bpffs, { recursive: true, force: true });
}

/** What is there although everything was removed. */
function remains(paths: readonly string[], bpffs: string): string[] {
  const mounts = readFileSync("/proc/self/mountinfo", "utf8");
  return [
    ...paths.filter((path) => existsSync(path) || mounts.includes(` ${path} `)),
    ...(mounts.includes(` ${bpffs} `) ? [`a bpffs is mounted at ${bpffs}`] : []),
    ...strayThreads(),
  ];
}

/** Threads of this process in another network namespace than the process. */
export function strayThreads(): string[] {
  const home = readlinkSync("/proc/self/ns/net");
  return readdirSync("/proc/self/task").flatMap((thread) => {
    try {
      const netns = readlinkSync(`/proc/self/task/${thread}/ns/net`);
      return netns === home ? [] : [`thread ${thread} is in ${netns}`];
    } catch {
      // It has ended meanwhile.
      return [];
    }
  });
}

/** Removes what test processes left that were killed. */
async function sweepDead(machine: LinuxMachine): Promise<void> {
  const isDead = (pid: string | undefined): boolean => pid !== undefined && !existsSync(`/proc/${pid}`);
  for (const name of existsSync("/run/netns") ? readdirSync("/run/netns") : [])
    if (isDead(/^nlt(\d+)-/.exec(name)?.[1])) await machine.removeNetns(`/run/netns/${name}`);
  for (const name of existsSync(BPFFS_ROOT) ? readdirSync(BPFFS_ROOT) : [])
    if (isDead(/^(\d+)-/.exec(name)?.[1])) removePins(`${BPFFS_ROOT}/${name}`);
}
