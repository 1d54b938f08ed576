/** The toy workload as a whole: wishes and faults drawn from a seed, a run, and the invariants when it is quiet. */
import { identityOf, linksOf, ofKind } from "../kernel/objects.ts";
import type { Kernel, KernelObject } from "../kernel/kernel.ts";
import type { Fault } from "./faults.ts";
import { drawFaults } from "./faults.ts";
import type { HistoryEntry } from "./history.ts";
import { SimRandom, between } from "./random.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";
import { type Plant, ToyAgent, type WireHalf, type Wish, canonical, wireObjects } from "./toy-agent.ts";

const HOSTS = ["alpha", "beta", "gamma"] as const;
const BUSY_MS = 4000;

export interface ToyOptions extends Pick<
  SimulationOptions,
  "seed" | "drain" | "kernel" | "store" | "credentials" | "keepHistory"
> {
  /** Default: drawn from the seed. */
  readonly faults?: readonly Fault[];
  readonly plant?: Plant;
}

export interface ToyResult {
  /** Broken invariants, for people. Empty: the run was right. */
  readonly violations: readonly string[];
  readonly faults: readonly Fault[];
  /** Faults that found a victim. */
  readonly struck: number;
  /** Calls that the hosts made of their Worlds. */
  readonly operations: number;
  readonly events: number;
  readonly timeMs: number;
  readonly traceHash: string;
  readonly history: readonly HistoryEntry[];
}

/** Runs one seed until nothing is left to happen, and looks at what is there then. */
export async function runToy(options: ToyOptions): Promise<ToyResult> {
  const { seed } = options;
  const faults = options.faults ?? drawFaults({ seed, hosts: HOSTS, durationMs: BUSY_MS, count: 24 });
  const wishes = drawWishes(seed, 9);
  const simulation = new Simulation({ ...options, hosts: HOSTS, faults, limitMs: 60_000 });
  for (const host of HOSTS) {
    simulation.start(host, (world) => new ToyAgent(world, options.plant).run(wishes));
  }
  const violations = await findViolations(simulation, wishes);
  const { history, nowMs } = simulation.scheduler;
  return {
    violations,
    faults,
    struck: simulation.faults.struck,
    operations: simulation.operations,
    events: history.count,
    timeMs: nowMs,
    traceHash: history.hash,
    history: history.entries(),
  };
}

/** About half of the wires are removed again. */
export function drawWishes(seed: string, count: number): Wish[] {
  const random = new SimRandom(seed, "wishes");
  return Array.from({ length: count }, (_, n) => {
    const from = between(random, "from", n, 0, HOSTS.length);
    const to = from + between(random, "to", n, 1, HOSTS.length);
    const makeAtMs = between(random, "make", n, 0, BUSY_MS / 2);
    const isRemoved = random.fraction("is removed", n) < 0.5;
    return {
      id: `w${n}`,
      from: HOSTS[from] ?? "alpha",
      to: HOSTS[to % HOSTS.length] ?? "beta",
      makeAtMs,
      removeAtMs: isRemoved ? makeAtMs + between(random, "remove", n, 0, BUSY_MS / 2) : undefined,
    };
  });
}

async function findViolations(simulation: Simulation, wishes: readonly Wish[]): Promise<string[]> {
  try {
    await simulation.runUntilQuiet();
  } catch (error) {
    // Stuck in a loop, or an assertion of the program.
    return [error instanceof Error ? error.message : String(error)];
  }
  const wanted = wishes.filter(({ removeAtMs }) => removeAtMs === undefined);
  const observed = new Map<string, readonly KernelObject[]>();
  for (const host of HOSTS) {
    observed.set(host, await simulation.run(observeAll(simulation.kernel(host))));
  }
  return [
    ...wanted.flatMap((wish) => missingParts(wish, observed)),
    ...HOSTS.flatMap((host) => strangers(host, wanted, observed.get(host) ?? [])),
    ...sharedVnis(observed),
  ];
}

async function observeAll(kernel: Kernel): Promise<KernelObject[]> {
  await kernel.settle();
  return kernel.observe([{ netns: "host" }]);
}

/** Every wanted wire is up: all objects of both halves are there, with one VNI. */
function missingParts(wish: Wish, observed: ReadonlyMap<string, readonly KernelObject[]>): string[] {
  const tunnels = ofKind(observed.get(wish.from) ?? [], "vxlan");
  const tunnel = tunnels.find(({ alias }) => alias === `toy-${wish.id}`);
  if (!tunnel) return [`${wish.from}: ${wish.id} has no tunnel`];
  const ends = [
    [wish.from, wish.to],
    [wish.to, wish.from],
  ] as const;
  return ends.flatMap(([host, peer]) => {
    const present = new Set((observed.get(host) ?? []).map(canonical));
    return wireObjects(host, { id: wish.id, peer, vni: tunnel.vni } satisfies Partial<WireHalf>)
      .filter((object) => !present.has(canonical(object)))
      .map((object) => `${host}: ${wish.id} lacks its ${object.kind}`);
  });
}

/** No object is without an owner, and none is there twice. */
function strangers(host: string, wanted: readonly Wish[], objects: readonly KernelObject[]): string[] {
  const owners = new Set(wanted.filter(({ from, to }) => from === host || to === host).map(({ id }) => id));
  const seen = new Set<string>();
  return objects.flatMap((object) => {
    const identity = identityOf(object);
    const isTwice = seen.has(identity);
    seen.add(identity);
    if (isTwice) return [`${host}: ${identity} is there twice`];
    return linksOf(object).some((link) => owners.has(link.slice("host t-".length)))
      ? []
      : [`${host}: ${identity} has no owner`];
  });
}

/** A VNI belongs to one wire in the whole fleet. */
function sharedVnis(observed: ReadonlyMap<string, readonly KernelObject[]>): string[] {
  const owners = new Map<number, string>();
  return ofKind([...observed.values()].flat(), "vxlan").flatMap(({ vni, alias }) => {
    const owner = owners.get(vni) ?? alias;
    owners.set(vni, owner);
    return owner === alias ? [] : [`vni ${vni} is used by ${owner} and ${alias}`];
  });
}
