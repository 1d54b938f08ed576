/**
 * An agent of a simulated mesh, made of the real roles: manager, forwarder, the registry as its host sees it, endpoints
 * and a client. What it shall do is a list of wishes that survives its crashes, as desired state on a disk does.
 */
import { create } from "@bufbuild/protobuf";
import { NetworkServiceRequestSchema } from "../api/gen/nsm/networkservice_pb.js";
import {
  NetworkServiceEndpointSchema,
  NetworkServiceSchema,
  type NetworkServiceEndpoint,
} from "../api/gen/nsm/registry_pb.js";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { LocalDirectory } from "../api/directory.ts";
import { connectionsOf, endpointsOf, SELF, serveConnections, servicesOf, type Caller } from "../api/hops.ts";
import { serveAll } from "../api/rpc.ts";
import { VniPool } from "../elements/vni-pool.ts";
import { groupByOwner } from "../forwarder/owner.ts";
import { Reconciler } from "../forwarder/reconcile.ts";
import { type Identity, insecureIdentity } from "../identity/identity.ts";
import { client } from "../roles/client.ts";
import { endpoint } from "../roles/endpoint.ts";
import { forwarder } from "../roles/forwarder.ts";
import { type ManagerRegistry, managerRegistry } from "../roles/manager-registry.ts";
import { manager } from "../roles/manager.ts";
import { registry } from "../roles/registry.ts";
import type { ConnectionRole } from "../roles/role.ts";
import { NetloomError } from "../world/errors.ts";
import type { Netns } from "../world/kernel.ts";
import type { Scope } from "../world/scope.ts";
import type { World } from "../world/world.ts";

export const REGISTRY_HOST = "registry";
export const REGISTRY_URL = "tcp://10.8.255.1:5002";

/** So short that what is lost is found to be so within a run. */
export const LIFETIME_MS = 60_000;
const LEASE_MS = 20_000;

/** A host of the mesh with its workloads. */
export interface HostPlan {
  readonly name: string;
  readonly address: string;
  readonly netns: Netns;
  readonly workloads: readonly Netns[];
}

/** An endpoint that shall be there from `fromMs` to `untilMs`. */
export interface Exposing {
  readonly name: string;
  readonly host: string;
  readonly workload: Netns;
  readonly service: string;
  readonly pools: readonly (readonly string[])[];
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A wire that shall be there from `fromMs` to `untilMs`. */
export interface Connecting {
  readonly id: string;
  readonly host: string;
  readonly workload: Netns;
  readonly interfaceName: string;
  readonly service: string;
  readonly fromMs: number;
  readonly untilMs: number;
}

export interface Wishes {
  readonly exposing: readonly Exposing[];
  readonly connecting: readonly Connecting[];
}

/** What lives on a host now, for the oracle. */
export interface AgentParts {
  readonly manager: ConnectionRole;
  readonly forwarder: ConnectionRole;
  readonly client: ConnectionRole;
  readonly endpoints: ReadonlyMap<string, ConnectionRole>;
  readonly registry: ManagerRegistry;
  readonly vnis: VniPool;
  readonly reconciler: Reconciler;
}

/** A bug to plant, in order to see whether the simulator finds it. */
export type MeshPlant = "no-adopt" | "no-sweep" | "forgets-closes";

export interface AgentOptions {
  readonly plan: HostPlan;
  readonly plant: MeshPlant | undefined;
  readonly wishes: Wishes;
  /** Do packets get from a workload to an address? */
  readonly reaches: (from: Netns, address: string) => boolean;
  readonly onStart: (parts: AgentParts) => void;
}

/** Runs the registry of the mesh. */
export async function runRegistry(world: World): Promise<void> {
  const identity = insecureIdentity(world.clock, LIFETIME_MS);
  const role = await retry(world, world.scope, "open", () =>
    registry({ world, name: "registry", identity, leaseMs: LEASE_MS }),
  );
  await world.hops.serve(REGISTRY_URL, serveAll(role.served));
}

/** Runs an agent until its life ends. */
export async function runAgent(world: World, options: AgentOptions): Promise<void> {
  const { plan, wishes } = options;
  const reconciler = new Reconciler(world.kernel);
  if (options.plant !== "no-adopt") {
    await retry(world, world.scope, "adopt", () => reconciler.adopt(plan.workloads));
  }
  const parts = await makeParts(world, options, reconciler);
  options.onStart(parts.parts);
  const { parts: made, identity, directory } = parts;
  await world.hops.serve(
    agentUrl(plan),
    serveAll([...serveConnections(made.manager), ...made.registry.served]),
  );
  for (const wish of wishes.exposing.filter(({ host }) => host === plan.name)) {
    world.scope.spawn(`expose ${wish.name}`, (scope) =>
      expose({ world, scope, wish, made, identity, directory }),
    );
  }
  for (const wish of wishes.connecting.filter(({ host }) => host === plan.name)) {
    world.scope.spawn(`connect ${wish.id}`, (scope) => connect({ world, scope, wish, made }, options.plant));
  }
  if (options.plant === "no-sweep") return;
  world.scope.spawn("sweep", async (scope) => {
    // Until then everybody who still wants an adopted wire has asked for it.
    await world.clock.sleep(LIFETIME_MS, scope);
    await retry(world, scope, "sweep", () => reconciler.sweep());
  });
}

async function makeParts(world: World, options: AgentOptions, reconciler: Reconciler) {
  const { plan, reaches, wishes } = options;
  const identity = insecureIdentity(world.clock, LIFETIME_MS);
  const directory = new LocalDirectory(world.hops, world.clock);
  const registryView = await managerRegistry({
    world,
    name: `manager-${plan.name}`,
    identity,
    url: agentUrl(plan),
    registry: world.hops.dial(REGISTRY_URL),
    leaseMs: LEASE_MS,
  });
  const registries = {
    services: servicesOf(registryView.services),
    endpoints: endpointsOf(registryView.endpoints),
  };
  const vnis = new VniPool(world.random);
  const known = await knownVnis(world);
  const common = { world, identity, directory, ...registries };
  const forwarderRole = forwarder({
    ...common,
    name: `forwarder-${plan.name}`,
    wires: reconciler,
    tunnels: {
      addresses: [plan.address],
      underlayMtuBytes: 1500,
      vnis,
      recallVni: (id) => known.get(id),
    },
  });
  directory.offer("self:forwarder", { connections: connectionsOf(forwarderRole) });
  const managerRole = manager({
    ...common,
    name: `manager-${plan.name}`,
    url: agentUrl(plan),
    ownForwarders: [ownForwarder(plan)],
  });
  const workloads = new Map(wishes.connecting.map(({ id, workload }) => [id, workload]));
  const clientRole = client({
    world,
    identity,
    name: `client-${plan.name}`,
    next: connectionsOf(managerRole),
    isAlive: async ({ id, context }) => {
      const [address = ""] = context?.ipContext?.dstIpAddrs ?? [];
      const workload = workloads.get(id);
      return workload !== undefined && reaches(workload, address.replace(/\/.*$/, ""));
    },
  });
  const parts: AgentParts & { readonly endpoints: Map<string, ConnectionRole> } = {
    manager: managerRole,
    forwarder: forwarderRole,
    client: clientRole,
    endpoints: new Map(),
    registry: registryView,
    vnis,
    reconciler,
  };
  return { parts, identity, directory };
}

interface Wishing<W> {
  readonly world: World;
  readonly scope: Scope;
  readonly wish: W;
  readonly made: AgentParts & { readonly endpoints: Map<string, ConnectionRole> };
}

async function expose(
  options: Wishing<Exposing> & { readonly identity: Identity; readonly directory: LocalDirectory },
): Promise<void> {
  const { world, scope, wish, made, identity, directory } = options;
  if (world.clock.monotonicMs() >= wish.untilMs) return;
  await sleepUntil(world, wish.fromMs, scope);
  const role = endpoint({
    world,
    identity,
    name: wish.name,
    netns: wish.workload,
    addresses: { pools: wish.pools },
  });
  made.endpoints.set(wish.name, role);
  const url = `self:${wish.name}`;
  const takeBack = directory.offer(url, { connections: connectionsOf(role) });
  const services = servicesOf(made.registry.services);
  const endpoints = endpointsOf(made.registry.endpoints);
  const service = create(NetworkServiceSchema, { name: wish.service, payload: "ETHERNET" });
  const entry = create(NetworkServiceEndpointSchema, {
    name: wish.name,
    url,
    networkServiceNames: [wish.service],
    networkServiceLabels: { [wish.service]: { labels: {} } },
  });
  await retry(world, scope, `service ${wish.name}`, () => services.request(caller(world, scope), service));
  await retry(world, scope, `register ${wish.name}`, () => endpoints.request(caller(world, scope), entry));
  if (wish.untilMs === Infinity) return;
  await sleepUntil(world, wish.untilMs, scope);
  await retry(world, scope, `unregister ${wish.name}`, () => endpoints.close(caller(world, scope), entry));
  takeBack();
  for (const { id } of role.established()) {
    await retry(world, scope, `drop ${wish.name}`, () => role.drop(id));
  }
  made.endpoints.delete(wish.name);
}

async function connect(
  { world, scope, wish, made }: Wishing<Connecting>,
  plant: MeshPlant | undefined,
): Promise<void> {
  if (world.clock.monotonicMs() >= wish.untilMs) return;
  await sleepUntil(world, wish.fromMs, scope);
  const request = create(NetworkServiceRequestSchema, {
    connection: { id: wish.id, networkService: wish.service },
    mechanismPreferences: [
      {
        cls: "LOCAL",
        type: "KERNEL",
        parameters: { inodeURL: wish.workload, name: wish.interfaceName },
      },
    ],
  });
  let connection: Connection | undefined;
  while (!connection && world.clock.monotonicMs() < wish.untilMs) {
    connection = await attempt(world, scope, `connect ${wish.id}`, () =>
      made.client.request(caller(world, scope), request),
    );
  }
  if (wish.untilMs === Infinity) return;
  await sleepUntil(world, wish.untilMs, scope);
  // A close that fails has been made all the same: what it did not reach finds out by itself.
  if (connection && plant !== "forgets-closes") {
    const closed = connection;
    await quietly(() => made.client.close(caller(world, scope), closed));
  }
}

function ownForwarder({ name }: HostPlan): NetworkServiceEndpoint {
  return create(NetworkServiceEndpointSchema, {
    name: `forwarder-${name}`,
    url: "self:forwarder",
    networkServiceLabels: { forwarder: { labels: { p2p: "true" } } },
  });
}

/** The VNIs of the wires that an earlier process has left. */
async function knownVnis(world: World): Promise<ReadonlyMap<string, number>> {
  const objects = await retry(world, world.scope, "look", () => world.kernel.observe([{ netns: "host" }]));
  const known = new Map<string, number>();
  for (const [owner, group] of groupByOwner(objects)) {
    for (const object of group) {
      if (owner !== undefined && object.kind === "vxlan") known.set(owner, object.vni);
    }
  }
  return known;
}

function caller(world: World, scope: Scope): Caller {
  return { scope, deadlineMs: world.clock.monotonicMs() + 4_000, peer: SELF };
}

function agentUrl({ address }: HostPlan): string {
  return `tcp://${address}:5001`;
}

async function retry<T>(world: World, scope: Scope, what: string, run: () => Promise<T>): Promise<T> {
  for (;;) {
    const done = await attempt(world, scope, what, async () => ({ value: await run() }));
    if (done) return done.value;
  }
}

/** `undefined` if it failed, a while later. */
async function attempt<T>(
  world: World,
  scope: Scope,
  what: string,
  run: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof NetloomError) || scope.ended) throw error;
    const n = Math.floor(world.clock.monotonicMs());
    await world.clock.sleep(100 + 400 * world.random.fraction(what, n), scope);
    return undefined;
  }
}

async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
  }
}

function sleepUntil(world: World, timeMs: number, scope: Scope): Promise<void> {
  return world.clock.sleep(Math.max(0, timeMs - world.clock.monotonicMs()), scope);
}
