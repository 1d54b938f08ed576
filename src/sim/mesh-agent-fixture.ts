/**
 * The hosts of a simulated mesh: the real registry, and the real agents, each with an operator who applies and deletes
 * what the host's wishes say, and who tries again what was refused.
 */
import type { Wish } from "../agent/wish.ts";
import { connectWish } from "../documents/connect/wish.ts";
import { exposeWish } from "../documents/expose/wish.ts";
import { networkServiceWish } from "../documents/network-service/wish.ts";
import { serveAll } from "../api/rpc.ts";
import { labIdentity } from "../identity/lab-identity.ts";
import { agent, type AgentRole } from "../roles/agent.ts";
import { dialRegistries } from "../registry/dial-registries.ts";
import { type Registry, registry } from "../roles/registry.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Netns } from "../kernel/kernel.ts";
import type { Scope } from "../async/scope.ts";
import type { HostWorld } from "../world/world.ts";
import type { Disk } from "../world/disk.ts";
import type { Store } from "../world/store.ts";

/** Hosts of registries, and where each serves. */
export const REGISTRIES: ReadonlyMap<string, string> = new Map([
  ["registry", "tcp://10.8.255.1:5002"],
  ["registry-2", "tcp://10.8.255.2:5002"],
]);

/** So short that what is lost is found to be so within a run. */
export const LIFETIME_MS = 60_000;
export const LEASE_MS = 20_000;

/** A host of the mesh with its workloads. */
export interface HostPlan {
  readonly name: string;
  readonly address: string;
  readonly netns: Netns;
  /** Paths of namespaces. */
  readonly workloads: readonly string[];
}

interface Spanned {
  readonly name: string;
  readonly host: string;
  /** Path of a namespace. */
  readonly workload: string;
  readonly service: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** An endpoint that shall be there from `fromMs` to `untilMs`. */
export interface Exposing extends Spanned {
  readonly kind: "Expose";
  readonly pools: readonly string[];
  /** From then on its wires have `mtuBytes`. */
  readonly changesMs: number;
  readonly mtuBytes: number;
  readonly isChosen: boolean;
}

/** Says from `fromMs` on that the endpoints of a service are those that are `chosen`. */
export interface Describing {
  readonly kind: "NetworkService";
  /** The service. */
  readonly name: string;
  readonly host: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A wire that shall be there from `fromMs` to `untilMs`. */
export interface Connecting extends Spanned {
  readonly kind: "Connect";
  readonly interfaceName: string;
}

export interface Wishes {
  readonly exposing: readonly Exposing[];
  readonly connecting: readonly Connecting[];
  readonly describing: readonly Describing[];
}

/** A bug to plant, in order to see whether the simulator finds it, or a loss that an agent has to bear. */
export type MeshPlant =
  | "no-sweep"
  | "forgets-disk"
  | "forgets-deletes"
  | "renews-the-dead"
  | "one-registry"
  | "slow-start";

export interface AgentOptions {
  readonly plan: HostPlan;
  readonly wishes: Wishes;
  readonly plant: MeshPlant | undefined;
  /** The preferred one first. */
  readonly registryUrls: readonly string[];
  /** Do packets get from a workload to an address? */
  readonly reaches: (from: Netns, address: string) => boolean;
  readonly onStart: (role: AgentRole) => void;
  /** The process has ended with an error that a supervisor answers by starting it again. */
  readonly onExit: () => void;
}

export interface RegistryOptions {
  readonly plant: MeshPlant | undefined;
  readonly onStart: (role: Registry) => void;
  /** As of `AgentOptions`. */
  readonly onExit: () => void;
}

/** Runs a registry of the mesh, over the store that all share. */
export async function runRegistry(
  world: HostWorld,
  { plant, onStart, onExit }: RegistryOptions,
): Promise<void> {
  const identity = labIdentity(world, LIFETIME_MS);
  const store = plant === "renews-the-dead" ? renewing(world) : world.store;
  await orExit(onExit, async () => {
    const role = await registry({ world, store, name: world.host, identity, leaseMs: LEASE_MS });
    await world.hops.serve(REGISTRIES.get(world.host) ?? "", serveAll(role.served));
    onStart(role);
  });
}

/** Runs an agent until its life ends. */
export async function runAgent(given: HostWorld, options: AgentOptions): Promise<void> {
  const { plan, wishes, plant, registryUrls, reaches, onStart, onExit } = options;
  const world = plant === "forgets-disk" ? { ...given, disk: forgetful(given.disk) } : given;
  const url = `tcp://${plan.address}:5001`;
  if (plant === "slow-start") await world.clock.sleep(LIFETIME_MS);
  await orExit(onExit, async () => {
    const role = await agent({
      world,
      url,
      identity: labIdentity(world, LIFETIME_MS),
      listen: ["unix:///run/netloom/agent.sock", url],
      registry: dialRegistries({ world, hops: world.hops, urls: registryUrls }),
      tunnelAddresses: [plan.address],
      leaseMs: LEASE_MS,
      sweepAfterMs: plant === "no-sweep" ? 1e9 : LIFETIME_MS,
      prober: {
        probe: async (from, address) => (reaches(from, address) ? { rttMs: 0.1 } : { reason: "timeout" }),
        deviceTowards: async () => undefined,
      },
    });
    onStart(role);
    for (const wish of [...wishes.describing, ...wishes.exposing, ...wishes.connecting]) {
      if (wish.host !== plan.name) continue;
      world.scope.spawn(`operate ${wish.name}`, (scope) => operate({ world, scope, role, wish, plant }));
    }
  });
}

interface Operating {
  readonly world: HostWorld;
  readonly scope: Scope;
  readonly role: AgentRole;
  readonly wish: Exposing | Connecting | Describing;
  readonly plant: MeshPlant | undefined;
}

async function operate({ world, scope, role, wish, plant }: Operating): Promise<void> {
  const { fromMs, untilMs, name, kind } = wish;
  const retry = async (run: () => Promise<unknown>): Promise<void> => {
    while (!(await attempt(run))) {
      const n = Math.floor(world.clock.monotonicMs());
      await world.clock.sleep(100 + 400 * world.random.fraction(`operate ${name}`, n), scope);
    }
  };
  await sleepUntil(world, fromMs, scope);
  const apply = async (): Promise<void> => {
    const nowMs = world.clock.monotonicMs();
    if (nowMs < untilMs) await retry(() => role.agent.apply([wishOf(wish, nowMs)]));
  };
  await apply();
  if (wish.kind === "Expose" && wish.changesMs < untilMs) {
    await sleepUntil(world, wish.changesMs, scope);
    await apply();
  }
  if (untilMs === Infinity || plant === "forgets-deletes") return;
  await sleepUntil(world, untilMs, scope);
  await retry(() => role.agent.delete([{ kind, name }]));
}

function wishOf(wish: Exposing | Connecting | Describing, nowMs: number): Wish {
  const { name } = wish;
  if (wish.kind === "NetworkService") {
    const matches = [{ routes: [{ destinationSelector: { chosen: "yes" } }] }];
    return networkServiceWish({ kind: "NetworkService", name, matches });
  }
  const { service } = wish;
  const workload = { netns: wish.workload };
  if (wish.kind === "Connect")
    return connectWish({ kind: "Connect", name, workload, service, interface: wish.interfaceName });
  const mtu = nowMs < wish.changesMs ? {} : { mtu: wish.mtuBytes };
  return exposeWish({
    kind: "Expose",
    name,
    workload,
    services: [service],
    pools: [...wish.pools],
    labels: { chosen: wish.isChosen ? "yes" : "no" },
    ...mtu,
  });
}

/** False if it was refused. */
async function attempt(run: () => Promise<unknown>): Promise<boolean> {
  try {
    await run();
    return true;
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    return false;
  }
}

async function orExit(onExit: () => void, run: () => Promise<void>): Promise<void> {
  if (!(await attempt(run))) onExit();
}

/** A registry that keeps all leases alive, whoever has died. */
function renewing({ store, scope, clock }: HostWorld): Store {
  const leases = new Set<string>();
  scope.spawn("renew all leases", async (task) => {
    for (; !task.ended; await clock.sleep(LEASE_MS / 4, task))
      for (const lease of leases) await attempt(() => store.keepAlive(lease));
  });
  return {
    ...store,
    put: (key, value, options) => {
      if (options?.lease) leases.add(options.lease.name);
      return store.put(key, value, options);
    },
  };
}

function forgetful(disk: Disk): Disk {
  return {
    read: async (name) => {
      await disk.read(name);
      return undefined;
    },
    append: (name, data) => disk.append(name, data),
    replace: (name, data) => disk.replace(name, data),
    sync: (name) => disk.sync(name),
  };
}

function sleepUntil(world: HostWorld, timeMs: number, scope: Scope): Promise<void> {
  return world.clock.sleep(Math.max(0, timeMs - world.clock.monotonicMs()), scope);
}
