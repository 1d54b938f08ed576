/**
 * Simulated meshes: one or two registries on one store and 3 to 20 agents made of the real roles, wishes and faults drawn from a seed, a run,
 * and what must hold when it is quiet.
 */
import type { AgentRole } from "../roles/agent.ts";
import type { Registry } from "../roles/registry.ts";
import type { Netns } from "../kernel/kernel.ts";
import { SimMachine } from "./kernel.ts";
import { type Fault, STORE_HOST, drawFaults } from "./faults.ts";
import type { HistoryEntry } from "./history.ts";
import {
  type Connecting,
  type Describing,
  type Exposing,
  type HostPlan,
  LEASE_MS,
  LIFETIME_MS,
  type MeshPlant,
  REGISTRIES,
  runAgent,
  runRegistry,
  type Wishes,
} from "./mesh-agent-fixture.ts";
import { MeshLimits } from "./mesh-limits-fixture.ts";
import { findViolations, type QuietMesh, unreadyWires } from "./mesh-oracle-fixture.ts";
import { SimRandom, between } from "./random.ts";
import { Simulation, type SimulationOptions } from "./simulation.ts";
import { PLAIN_CREDENTIALS } from "../identity/identities.ts";

/** Wishes and faults come until then. */
const BUSY_MS = 10_000;
/** Faults that wait for a message, a write or a batch strike until then after the last wish. */
const CLOSING_MS = 5_000;
/** More than the lifetime of anything that is lost, and than the sweep after a late restart. */
const SETTLE_MS = LIFETIME_MS + 25_000;
/** A host that is away for so long has lost its lease. */
const LONG_DOWN_MS = LEASE_MS + 6000;
const LOOK_MS = 500;

export interface MeshOptions extends Pick<SimulationOptions, "seed" | "drain" | "store" | "keepHistory"> {
  /** Default: 3 to 5, drawn from the seed. */
  readonly agents?: number;
  /** Default: drawn from the seed. */
  readonly faults?: readonly Fault[];
  readonly plant?: MeshPlant;
}

export interface MeshResult {
  /** Broken invariants, for people. Empty: the run was right. */
  readonly violations: readonly string[];
  readonly faults: readonly Fault[];
  /** Faults that found a victim. */
  readonly struck: number;
  readonly wires: number;
  readonly events: number;
  readonly operations: number;
  readonly timeMs: number;
  readonly traceHash: string;
  readonly history: readonly HistoryEntry[];
}

/** Runs one seed until it is quiet. */
export async function runMesh(options: MeshOptions): Promise<MeshResult> {
  const { seed, plant } = options;
  const random = new SimRandom(seed, "mesh");
  const count = options.agents ?? between(random, "agents", 0, 3, 6);
  const names = Array.from({ length: count }, (_, n) => `host-${n}`);
  // One registry is a case of its own: whatever it has to do with waits for it.
  const registryCount = between(random, "registries", 0, 0, 4) === 0 ? 1 : REGISTRIES.size;
  const registryHosts = [...REGISTRIES.keys()].slice(0, registryCount);
  const hosts = [...registryHosts, ...names];
  const faults = options.faults ?? [
    ...drawMeshFaults(seed, hosts),
    ...drawLongDeath(random, registryCount > 1 ? hosts : names),
  ];
  const limits = new MeshLimits();
  const living = new Map<string, AgentRole>();
  const machines: SimMachine[] = [];
  const simulation: Simulation = new Simulation({
    ...options,
    store: (clock, scope) => limits.noting(options.store(clock, scope)),
    onDeath: (host) => {
      living.delete(host);
      limits.dies(host, simulation.scheduler.nowMs);
    },
    hosts,
    faults,
    limitMs: 2 * (BUSY_MS + SETTLE_MS),
    credentials: () => PLAIN_CREDENTIALS,
    kernel: ({ host, clock }) => {
      const machine = (machines[0] ??= new SimMachine({ clock }));
      return machine.kernel({ host: machine.createNetns(`/run/netns/${host}`) });
    },
  });
  const [machine] = machines;
  if (!machine) throw new Error("a mesh has hosts");
  const plans = names.map((name, n) => planHost(machine, name, n));
  const wishes = drawWishes(random, plans);
  const registries = new Map<string, Registry>();
  for (const host of registryHosts) {
    const onStart = (role: Registry): void => void registries.set(host, role);
    const onExit = (): void => startAgain(simulation, host);
    simulation.start(host, (world) => runRegistry(world, { plant, onStart, onExit }));
  }
  for (const [n, plan] of plans.entries()) {
    // Each host prefers another one.
    const first = n % registryHosts.length;
    const inOrder = [...registryHosts.slice(first), ...registryHosts.slice(0, first)];
    const known = plant === "one-registry" ? inOrder.slice(0, 1) : inOrder;
    const registryUrls = known.map((host) => REGISTRIES.get(host) ?? "");
    const onStart = (role: AgentRole): void => void living.set(plan.name, role);
    const onExit = (): void => startAgain(simulation, plan.name);
    const reaches = (from: Netns, address: string): boolean => machine.reaches(from, address) !== undefined;
    simulation.start(plan.name, (given) => {
      const world = { ...given, keys: limits.begins(plan.name, given.keys, simulation.scheduler.nowMs) };
      return runAgent(world, { plan, wishes, registryUrls, reaches, onStart, onExit, plant });
    });
  }
  const violations = await run(simulation, limits, { machine, plans, wishes, living, registries });
  const { history, nowMs } = simulation.scheduler;
  return {
    violations,
    faults,
    struck: simulation.faults.struck,
    wires: wishes.connecting.length,
    events: history.count,
    operations: simulation.operations,
    timeMs: nowMs,
    traceHash: history.hash,
    history: history.entries(),
  };
}

function drawMeshFaults(seed: string, hosts: readonly string[]): Fault[] {
  const all = drawFaults({
    seed,
    hosts: [...hosts, STORE_HOST],
    durationMs: BUSY_MS,
    count: 6 * hosts.length + 2,
  });
  return all.flatMap((fault) => {
    // The store is no process of ours; but the way to it is ours to lose.
    if ("host" in fault && fault.host === STORE_HOST) return [];
    // What a clock that is an hour off makes others believe lasts for an hour, and a run does not.
    return [fault.kind === "clock" ? { ...fault, jumpMs: fault.jumpMs % (LIFETIME_MS / 8) } : fault];
  });
}

/** In every other mesh a host is away for longer than its lease lasts. */
function drawLongDeath(random: SimRandom, hosts: readonly string[]): Fault[] {
  if (random.fraction("long death", 0) < 0.5) return [];
  const host = hosts[between(random, "host of long death", 0, 0, hosts.length)] ?? "";
  const atMs = between(random, "time of long death", 0, 0, BUSY_MS / 2);
  return [{ kind: "crash", host, atMs, downMs: LONG_DOWN_MS }];
}

/** What a supervisor does when the process has ended. */
function startAgain(simulation: Simulation, host: string): void {
  simulation.scheduler.after(0, { host, kind: "exit", detail: "" }, () => {
    simulation.crash(host);
    simulation.scheduler.after(200, { host, kind: "start", detail: "" }, () => simulation.restart(host));
  });
}

async function run(
  simulation: Simulation,
  limits: MeshLimits,
  mesh: Omit<QuietMesh, "kernel">,
): Promise<string[]> {
  const { clock, scheduler, faults } = simulation;
  const watchUntil = async (endMs: number): Promise<void> => {
    for (; scheduler.nowMs < endMs; await clock.sleep(LOOK_MS))
      await limits.look(scheduler.nowMs, () => unreadyWires(mesh));
  };
  try {
    await simulation.run(watchUntil(BUSY_MS + CLOSING_MS));
    faults.calm();
    const backMs = faults.faults.map((fault) => (fault.kind === "crash" ? fault.atMs + fault.downMs : 0));
    await simulation.run(watchUntil(Math.max(...backMs)));
    limits.calms(scheduler.nowMs);
    await simulation.run(watchUntil(scheduler.nowMs + SETTLE_MS));
    const left = await simulation.run(findViolations({ ...mesh, kernel: (host) => simulation.kernel(host) }));
    return [...limits.violations, ...left];
  } catch (error) {
    // Stuck in a loop, or an assertion of the program.
    return [...limits.violations, error instanceof Error ? `${error.name}: ${error.message}` : String(error)];
  }
}

function planHost(machine: SimMachine, name: string, n: number): HostPlan {
  const netns: HostPlan["netns"] = `file:///run/netns/${name}`;
  const address = `10.8.0.${n + 1}`;
  machine.plantUplink({ netns, name: "eth0", addresses: [`${address}/16`], fabric: "underlay" });
  const workloads = [0, 1, 2].map((w) => `/run/netns/${name}-${w}`);
  for (const path of workloads) machine.createNetns(path);
  return { name, address, netns, workloads };
}

/** Every service has one endpoint that stays; about half of the wires and of the other endpoints are removed again. */
function drawWishes(random: SimRandom, plans: readonly HostPlan[]): Wishes {
  const draw = (purpose: string, n: number, to: number): number => between(random, purpose, n, 0, to);
  const place = (purpose: string, n: number): { host: string; workload: string } => {
    const plan = plans[draw(`host of ${purpose}`, n, plans.length)];
    const workload = plan?.workloads[draw(`workload of ${purpose}`, n, 3)];
    if (!plan || !workload) throw new Error("a mesh has workloads");
    return { host: plan.name, workload };
  };
  const span = (purpose: string, n: number, isForEver: boolean): { fromMs: number; untilMs: number } => {
    const fromMs = draw(`begin of ${purpose}`, n, BUSY_MS / 2);
    return { fromMs, untilMs: isForEver ? Infinity : fromMs + draw(`time of ${purpose}`, n, BUSY_MS / 2) };
  };
  const services = Math.max(2, Math.floor(plans.length / 2));
  const exposing = Array.from({ length: 2 * services }, (_, n): Exposing => {
    const stays = n < services || random.fraction("endpoint stays", n) < 0.5;
    return {
      kind: "Expose",
      name: `nse-${n}`,
      service: `service-${n % services}`,
      pools: [`10.${100 + n}.0.0/24`, ...(n % 2 === 0 ? [`fd00:${n}::/64`] : [])],
      changesMs: draw("change of endpoint", n, BUSY_MS),
      mtuBytes: 1300 + n,
      isChosen: n < services,
      ...place("endpoint", n),
      ...span("endpoint", n, stays),
    };
  });
  const connecting = Array.from({ length: 2 * plans.length }, (_, n): Connecting => {
    const stays = random.fraction("wire stays", n) < 0.6;
    return {
      kind: "Connect",
      name: `wire-${n}`,
      interfaceName: `nsm-${n}`,
      service: `service-${draw("service", n, services)}`,
      ...place("wire", n),
      ...span("wire", n, stays),
    };
  });
  const describing = Array.from({ length: services }, (_, n): Describing => {
    const { host } = place("description", n);
    return { kind: "NetworkService", name: `service-${n}`, host, ...span("description", n, true) };
  });
  return { exposing, connecting, describing };
}
