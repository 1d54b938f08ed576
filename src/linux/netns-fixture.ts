/** Namespaces for a test, all gone after it: `const net = await netnsFixture(t); const a = await net.netns();` */
import type { TestContext } from "node:test";
import { LinuxMachine, type KernelOptions, type LinuxKernel } from "./machine.ts";
import type { Netns } from "../world/kernel.ts";

/** For `test(title, { skip: needsRoot }, …)`: false for root, else the reason. */
export const needsRoot: string | false = process.getuid?.() === 0 ? false : "needs root";

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

/**
 * Makes a fixture that cleans up after `t`, also when it fails, and fails `t` when something is left behind: devices of
 * our groups in its namespaces, pins, mounts, namespaces, or a thread in a foreign namespace. What an earlier process
 * left when it was killed is removed first.
 */
export async function netnsFixture(t: TestContext): Promise<NetnsFixture> {
  const machine = await LinuxMachine.open();
  t.after(() => machine.close());
  throw new Error("not written");
}
