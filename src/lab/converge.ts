/**
 * Brings the machine from any state to a topology, in this order:
 *
 *   add namespaces -> underlay -> remove unwanted wires -> add and change wires -> remove unwanted namespaces
 */
import { planWire } from "../forwarder/plan/plan-wire.ts";
import { Reconciler } from "../forwarder/reconcile/reconcile.ts";
import type { LinuxMachine } from "../linux/machine/machine.ts";
import type { OpenKernel } from "../kernel/privileged.ts";
import { unmountBelow } from "../linux/namespaces/mounts.ts";
import { identityAt } from "../linux/namespaces/netns.ts";
import type { Netns, Operation } from "../kernel/kernel.ts";
import { LAB_MARK } from "../kernel/kernel.ts";
import { explainShape } from "./shape-support.ts";
import { bpffsDirectory, namespacesOf, stateDirectory } from "./state.ts";
import { UNDERLAYS } from "./topology/underlay-owner.ts";
import {
  type HostWire,
  type LabNamespace,
  NETNS_DIRECTORY,
  type Topology,
  wireNameOf,
} from "./topology/topology.ts";

/** The changes that were made. */
export interface Changes {
  /** Names of the namespaces. */
  readonly namespaces: { readonly added: string[]; readonly removed: string[] };
  /** The number of underlay objects that were added, changed or removed. */
  readonly underlay: number;
  /** Names of the wires, each in one of the lists. */
  readonly wires: {
    readonly added: Set<string>;
    readonly changed: Set<string>;
    readonly removed: Set<string>;
  };
}

export interface ConvergeOptions {
  /** Whether agents make the wires: then this neither makes nor reads them. Default: false. */
  readonly leavesWires?: boolean;
  /** Whether settings of existing namespaces may be missing, because the process that made them was killed. */
  readonly isUnsure: boolean;
  /** Aborts between two steps. */
  readonly signal?: AbortSignal | undefined;
}

/** Applies the difference. If it throws, a part of it may have been applied. */
export async function converge(
  machine: LinuxMachine,
  lab: string,
  wanted: Topology,
  { isUnsure, signal, leavesWires = false }: ConvergeOptions,
): Promise<Changes> {
  const existing = (await namespacesOf(lab)).map((name) => `${NETNS_DIRECTORY}/${name}`);
  const wantedPaths = new Set(wanted.namespaces.map(({ path }) => path));
  const extra = existing.filter((path) => !wantedPaths.has(path));
  const added = await makeNamespaces(machine, wanted.namespaces);
  const open: OpenKernel[] = [];
  const kernelIn = async (options: Parameters<LinuxMachine["kernel"]>[0]): Promise<OpenKernel> => {
    const kernel = await machine.kernel(options);
    open.push(kernel);
    return kernel;
  };
  try {
    signal?.throwIfAborted();
    const machineWide = await kernelIn({ bpffs: stateDirectory(lab), mark: LAB_MARK });
    const isNew = new Set(added.map(({ netns }) => netns));
    const birth = wanted.birth.filter((object) => isUnsure || isNew.has((object as { netns: Netns }).netns));
    await machineWide.apply(birth.map((object): Operation => ({ verb: "add", object })));
    const underlay = await bringUnderlay(machineWide, wanted, extra, isNew.size === wanted.namespaces.length);
    signal?.throwIfAborted();
    const hosts = leavesWires ? [] : wanted.namespaces.filter(({ kind }) => kind === "host");
    const wires = { added: new Set<string>(), changed: new Set<string>(), removed: new Set<string>() };
    const wirings = await Promise.all(
      hosts.map(async ({ place, netns }) => {
        const kernel = await kernelIn({ host: netns, bpffs: bpffsDirectory(lab, place) });
        const own = wanted.namespaces.filter(({ kind, node }) => kind === "workload" && node === place);
        // Workloads of an earlier file are known only by the names of their namespaces.
        const left = extra.filter((path) => path.startsWith(`${NETNS_DIRECTORY}/nl-${lab}-${place}-`));
        const workloads = [...own.map(({ path }) => path), ...left].map((path): Netns => `file://${path}`);
        const isFresh = isNew.has(netns) && workloads.every((workload) => isNew.has(workload));
        return await HostWiring.open(
          lab,
          kernel,
          workloads,
          wanted.wires.filter(({ host }) => host === place),
          isFresh,
        );
      }),
    );
    for (const owner of (await Promise.all(wirings.map((wiring) => wiring.removeStale()))).flat()) {
      wires.removed.add(wireNameOf(lab, owner) ?? owner);
    }
    signal?.throwIfAborted();
    const results = (await Promise.all(wirings.map((wiring) => wiring.apply()))).flat();
    for (const { name } of wanted.wires)
      for (const { how } of results.filter((each) => each.name === name)) wires[how].add(name);
    // A wire of which one half existed counts as changed, not as added.
    for (const name of wires.changed) wires.added.delete(name);
    for (const name of wires.removed) if (wires.added.delete(name)) wires.changed.add(name);
    for (const name of wires.changed) wires.removed.delete(name);
    await closeAll(open);
    await removeNamespaces(machine, lab, extra);
    return {
      namespaces: { added: added.map(({ path }) => nameOf(path)), removed: extra.map(nameOf) },
      underlay,
      wires,
    };
  } finally {
    await closeAll(open);
  }
}

/** Removes namespaces, and for hosts among them also their BPF programs. */
export async function removeNamespaces(
  machine: LinuxMachine,
  lab: string,
  paths: readonly string[],
): Promise<void> {
  await Promise.all(paths.map((path) => machine.removeNetns(path)));
  for (const path of paths) {
    const host = nameOf(path).slice(`nl-${lab}-`.length);
    if (!host.includes("-")) unmountBelow(bpffsDirectory(lab, host));
  }
}

async function makeNamespaces(
  machine: LinuxMachine,
  wanted: readonly LabNamespace[],
): Promise<LabNamespace[]> {
  const missing = wanted.filter(({ path }) => identityAt(path) === undefined);
  await Promise.all(
    missing.map(async ({ path }) => {
      // A killed process may have left the file without its mount.
      await machine.removeNetns(path);
      await machine.createNetns(path);
    }),
  );
  return missing;
}

/** Applies the underlay. Returns the number of changes. */
async function bringUnderlay(
  kernel: OpenKernel,
  { namespaces, underlay }: Topology,
  extra: readonly string[],
  isFresh: boolean,
): Promise<number> {
  const nodes = namespaces.filter(({ kind }) => kind !== "workload").map(({ netns }) => netns);
  const leaving = extra.map((path): Netns => `file://${path}`);
  const reconciler = new Reconciler(kernel, { owners: UNDERLAYS });
  if (!isFresh) await reconciler.adopt([...nodes, ...leaving]);
  try {
    const { length } = await reconciler.apply(underlay);
    await reconciler.sweep();
    return length;
  } catch (error) {
    throw explainShape(error, namespaces);
  }
}

/** The wires of one host. */
class HostWiring {
  readonly #reconciler: Reconciler;
  readonly #wires: readonly HostWire[];
  readonly #found: ReadonlySet<string>;
  readonly #isOfLab: (owner: string) => boolean;

  private constructor(
    reconciler: Reconciler,
    wires: readonly HostWire[],
    found: ReadonlySet<string>,
    isOfLab: (owner: string) => boolean,
  ) {
    this.#reconciler = reconciler;
    this.#wires = wires;
    this.#found = found;
    this.#isOfLab = isOfLab;
  }

  /** Reads the existing wires, unless all namespaces are new. */
  static async open(
    lab: string,
    kernel: OpenKernel,
    workloads: readonly Netns[],
    wires: readonly HostWire[],
    isFresh: boolean,
  ): Promise<HostWiring> {
    const reconciler = new Reconciler(kernel);
    const found = isFresh ? [] : (await reconciler.adopt(["host", ...workloads])).keys();
    const isOfLab = (owner: string): boolean => wireNameOf(lab, owner) !== undefined;
    return new HostWiring(reconciler, wires, new Set(found), isOfLab);
  }

  /** Removes old wires before new ones are made, which may need their name or VNI. Returns connection ids. */
  async removeStale(): Promise<readonly string[]> {
    const wanted = new Set(this.#wires.map(({ wire }) => wire.connectionId));
    const stale = [...this.#found].filter((owner) => this.#isOfLab(owner) && !wanted.has(owner));
    await Promise.all(stale.map((owner) => this.#reconciler.remove(owner)));
    return stale;
  }

  /** Applies the wires. Returns those that were missing or different. */
  async apply(): Promise<{ readonly name: string; readonly how: "added" | "changed" }[]> {
    const plans = this.#wires.map(({ name, wire }) => ({ name, plan: planWire(wire) }));
    await this.#reconciler.makeRoom(plans.map(({ plan }) => plan));
    const done = await Promise.all(plans.map(({ plan }) => this.#reconciler.apply(plan)));
    // Objects that a crash left without a name can be recognised only after every wire has been claimed.
    await this.#reconciler.sweep((owner) => !this.#isOfLab(owner));
    return plans
      .filter((_, i) => done[i]?.length)
      .map(({ name, plan }) => ({ name, how: this.#found.has(plan.owner) ? "changed" : "added" }));
  }
}

async function closeAll(kernels: OpenKernel[]): Promise<void> {
  await Promise.all(kernels.splice(0).map((kernel) => kernel.close()));
}

function nameOf(path: string): string {
  return path.slice(NETNS_DIRECTORY.length + 1);
}
