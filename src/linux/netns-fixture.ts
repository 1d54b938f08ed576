/** Namespaces for a test, all gone after it: `const net = await netnsFixture(t); const a = await net.netns();` */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import type { TestContext } from "node:test";
import type { Netns } from "../kernel/kernel.ts";
import type { OpenKernel } from "../kernel/privileged.ts";
import { LinuxMachine, type KernelOptions } from "./machine.ts";
import { mountsBelow, unmountBelow } from "./mounts.ts";

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
  kernel(options?: Partial<KernelOptions>): Promise<OpenKernel>;
  /** What `ip netns exec` and `nsenter` want: `nlt<pid>-<n>`. */
  nameOf(netns: Netns): string;
}

let count = 0;

/**
 * Makes a fixture that cleans up after `t`, also when it fails: what is in its namespaces goes with them. Fails `t` when
 * a deletion failed, or when a namespace, a mount or a pin is left behind, or a thread is in a foreign namespace. What an
 * earlier process left when it was killed is removed first.
 */
export async function netnsFixture(t: TestContext): Promise<NetnsFixture> {
  const machine = await LinuxMachine.open();
  const bpffs = `${BPFFS_ROOT}/${process.pid}-${++count}`;
  const paths: string[] = [];
  t.after(async () => {
    for (const path of paths) await machine.removeNetns(path);
    // Rejects if a deletion failed.
    await machine.close();
    removePins(bpffs);
    assert.deepEqual(remains(paths, bpffs), [], "something is left behind");
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
      return machine.kernel({ bpffs, ...options, host });
    },
    nameOf: (netns) => netns.slice(netns.lastIndexOf("/") + 1),
  };
  return fixture;
}

/** The pins of a bpffs go with its mount. */
function removePins(bpffs: string): void {
  unmountBelow(bpffs);
  rmSync(bpffs, { recursive: true, force: true });
}

/** What is there although everything was removed. */
function remains(paths: readonly string[], bpffs: string): string[] {
  const mounts = [...paths, bpffs].flatMap(mountsBelow);
  return [
    ...paths.filter((path) => existsSync(path)),
    ...mounts.map((mount) => `something is mounted at ${mount}`),
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
