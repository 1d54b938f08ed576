/**
 * The agent: all roles of a host in one process.
 *
 * ```
 *   unix socket: NetworkService, MonitorConnection, both registries, admin      tcp: NetworkService, MonitorConnection
 *        clients and endpoints of this host, people                                  forwarders of other hosts
 *              │                                                                           │
 *              └────> manager ──> forwarder ──> endpoints of this process (self:…), unix:…, other hosts' managers
 *   attachments ─> clients ─┘         └──> kept wires ──> reconciler ──> kernel
 * ```
 */
import { adminService } from "./admin/admin-service.ts";
import { Attachments, type AttachmentsOptions, SWEEP_AFTER_MS } from "./attachments.ts";
import { closeDeadWorkloads } from "./dead-workloads.ts";
import { Decisions } from "./decisions.ts";
import { followWires } from "./drift/follow-wires.ts";
import { HostGuard } from "./host-guard.ts";
import { KeptWires } from "./kept-wires.ts";
import { listenAt } from "./listen.ts";
import { Leftovers, type LeftoversOptions } from "./leftovers.ts";
import { Tunnelling } from "./tunnelling.ts";
import type { AgentParts, NewClient, NewEndpoint, NewFunction } from "../attachments/parts.ts";
import { DOCUMENTS } from "../documents/documents.ts";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { LocalDirectory } from "../api/directory.ts";
import { connectionsOf, endpointsOf, serveConnections, servicesOf } from "../api/hops.ts";
import type { Served } from "../api/rpc.ts";
import { wireIdOf } from "../elements/wires/wire-id.ts";
import { deviceOf, readMechanism } from "../mechanisms/list.ts";
import type { Settings } from "../mechanisms/mechanism-type.ts";
import { Claims } from "../forwarder/claims/claims.ts";
import { Reconciler } from "../forwarder/reconcile/reconcile.ts";
import type { Identity } from "../identity/identity.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Capturer } from "../kernel/capturer.ts";
import type { Prober } from "../kernel/prober.ts";
import type { Processes } from "../kernel/processes.ts";
import type { Ports, World } from "../world/world.ts";
import { dialRegistries, type RegistryHop } from "../registry/dial-registries.ts";
import { client } from "../roles/client.ts";
import { endpoint } from "../roles/endpoint.ts";
import { forwarder } from "../roles/forwarder.ts";
import { ownForwarder } from "./own-forwarder.ts";
import { type ManagerRegistry, managerRegistry } from "../roles/manager-registry.ts";
import { manager } from "../roles/manager.ts";
import { serviceFunctionRole } from "../roles/service-function.ts";
import type { ConnectionRole } from "../roles/role.ts";

export interface AgentOptions {
  /** `World.host` is the host's name. */
  readonly world: World & Omit<Ports, "store">;
  readonly identity: Identity;
  /** The URL under which other hosts reach this one: `tcp://10.0.0.1:5001`. */
  readonly url: string;
  /** URLs to listen at: `unix:///…` serves everything, `tcp://…` serves other hosts. */
  readonly listen: readonly string[];
  /** URLs of the mesh's registry. If several registries share a store, the preferred one is first. */
  readonly registries: readonly string[];
  /** Addresses of this host's ends of tunnels, one per family, best first. If empty, all wires stay inside of the host. */
  readonly tunnelAddresses: readonly string[];
  /** The largest packet that the network between the hosts carries. Default: the MTU of the kernel's routes. */
  readonly underlayMtuBytes?: number;
  /** Settings by type of mechanism. Default: those of the mechanism. */
  readonly mechanisms?: Readonly<Record<string, Settings>>;
  /** Labels that are added to this host's clients and endpoints, unless they have them. Default: `nodeName`, the host. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Prefixes from which no endpoint may give addresses. */
  readonly excludedPrefixes?: readonly string[];
  /** Finds the processes of the host. Default: it finds none. */
  readonly processes?: Processes;
  /** Sends echo requests: for `ping`, and to test a wire before it is moved. */
  readonly prober?: Prober;
  /** Captures frames for `capture`. */
  readonly capturer?: Capturer;
  readonly sweepAfterMs?: number;
  /** The path of the disk of `world`, for messages. */
  readonly stateFolder?: string;
  /** Whether the host's own namespace may be a workload. Default: false. */
  readonly allowHostWorkload?: boolean;
  /** Lease of the endpoints of other processes. Default: 60,000 ms. */
  readonly leaseMs?: number;
  readonly version?: string;
}

export interface AgentRole {
  readonly world: World & Omit<Ports, "store">;
  readonly attachments: Attachments;
  readonly wires: KeptWires;
  readonly manager: ConnectionRole;
  readonly forwarder: ConnectionRole;
  readonly registry: ManagerRegistry;
  readonly tunnelling: Tunnelling;
  /** The services at the unix socket. */
  readonly served: readonly Served[];
  /** URLs whose address this host does not have yet. The agent listens there as soon as it has. */
  readonly awaited: readonly string[];
}

const NO_PROCESSES: Readonly<Processes> = {
  hold: (pid) =>
    Promise.reject(new NetloomError("NOT_FOUND", `hold process ${pid}: this host has no processes`)),
};

const ALIVE_TIMEOUT_MS = 300;

/** Starts the agent and listens. The agent runs until `World.scope` ends; its end leaves every wire as it is. */
export async function openAgent(options: AgentOptions): Promise<AgentRole> {
  const { world, identity } = options;
  const { host, kernel, disk } = world;
  let running: Attachments | undefined;
  const onChange = (): void => {
    running?.changed();
    leftovers.look();
  };
  const claims = new Claims(world);
  const reconciler = new Reconciler(world.kernel, { claims });
  const dialled = dialRegistries({ world, hops: world.hops, urls: options.registries });
  const hostGuard = new HostGuard(world.kernel, { ...options, hops: world.hops });
  const wires = keptWiresOf(world, { reconciler, hostGuard, onChange });
  const decisions = new Decisions(world.clock);
  const directory = new LocalDirectory(world.hops, world.clock);
  const labels = options.labels ?? { nodeName: host };
  const registry = await registryOf({ ...options, labels }, dialled, () => running?.changed());
  const leftovers = leftoversOf(options, {
    stationAt: (url) => directory.connect(url).connections,
    established: () => forwarding.established(),
    inTurn: (id, task) => forwarding.inTurn(id, task),
    isAwaited: (wireId) => wires.found.has(wireId) || (running?.isAwaited(wireId) ?? true),
  });
  const common = {
    world,
    kernel,
    identity,
    directory,
    services: servicesOf(registry.services),
    endpoints: endpointsOf(registry.endpoints),
  };
  const tunnelling = await Tunnelling.open(options, {
    wires,
    onMisfit: (ids) => forwarding.requestRefresh(ids),
  });
  const forwarding = forwarder({
    ...common,
    name: `forwarder-${host}`,
    wires,
    claims,
    ...(tunnelling.offered && { tunnels: tunnelling.offered }),
    onNext: (url) => leftovers.note(url),
    onDiscovery: (id, discovery) => decisions.discovered(id, discovery),
    onSelection: (id, selection) => decisions.selected(id, selection),
  });
  directory.offer("self:forwarder", { connections: connectionsOf(forwarding) });
  const managing = manager({
    ...common,
    name: `manager-${host}`,
    url: options.url,
    ownForwarders: [ownForwarder(host)],
    labels,
    isRegistryCurrent: () => registry.view().state === "fresh",
    excludedPrefixes: () => options.excludedPrefixes ?? [],
  });
  const parts: AttachmentsOptions["parts"] = {
    world,
    kernel,
    disk,
    processes: options.processes ?? NO_PROCESSES,
    wires,
    claims,
    hostGuard,
    labels,
    services: common.services,
    endpoints: common.endpoints,
    ...makersOf(options, managing),
    offer: (name, role) => directory.offer(`self:${name}`, { connections: connectionsOf(role) }),
    dropWire: (id) => dropWire(world, managing, id),
  };
  const attachments = await Attachments.start({ parts, kinds: DOCUMENTS, ...lifeOf(options) });
  running = attachments;
  await leftovers.start();
  tunnelling.start(common.endpoints);
  dropDead(options, { attachments, wires, managing });
  registerGauges({ world, wires, managing, forwarding, registry });
  const connections = serveConnections(managing);
  const made = { wires, forwarder: forwarding, registry, tunnelling };
  const about = { kernel, labels, startedAtMs: world.clock.wallMs(), attachments, decisions, ...made };
  const registries = { services: common.services, endpoints: common.endpoints };
  const admin = adminService({ ...options, ...about, registries, registryUrl: () => dialled.url });
  const served = [...connections, ...registry.served, admin];
  const awaited = await listenAt(options, { served, connections });
  return { world, attachments, manager: managing, served, awaited, ...made };
}

/** Makes the kept wires, and starts the repair of wires that others change. */
function keptWiresOf(
  world: AgentOptions["world"],
  parts: { readonly reconciler: Reconciler; readonly hostGuard: HostGuard; readonly onChange: () => void },
): KeptWires {
  const { kernel, disk } = world;
  const { reconciler, onChange } = parts;
  const drift = followWires({ world, kernel, reconciler, onMended: onChange });
  return new KeptWires({ world, kernel, disk, drift, ...parts });
}

function registerGauges({
  world,
  wires,
  managing,
  forwarding,
  registry,
}: {
  readonly world: World;
  readonly wires: KeptWires;
  readonly managing: ConnectionRole;
  readonly forwarding: ConnectionRole;
  readonly registry: ManagerRegistry;
}): void {
  const numbers = {
    wires: ["Wires that this host has made.", () => wires.made.size],
    wires_unclaimed: [
      "Wires of an earlier agent that no client has requested.",
      () => wires.unclaimed.length,
    ],
    wires_put_right: ["Repairs of wires that others had changed.", () => wires.timesMended],
    manager_connections: ["Connections that the manager holds.", () => managing.established().length],
    forwarder_connections: ["Connections that the forwarder holds.", () => forwarding.established().length],
    known_services: ["Network services that the registry has reported.", () => registry.view().services],
    known_endpoints: ["Endpoints that the registry has reported.", () => registry.view().endpoints],
    retries: ["Operations that this host keeps trying.", () => world.retries.list().length],
  } as const;
  for (const [name, [help, read]] of Object.entries(numbers)) world.gauges.register({ name, help, read });
}

function leftoversOf(
  { world, sweepAfterMs = SWEEP_AFTER_MS }: AgentOptions,
  seams: Pick<LeftoversOptions, "stationAt" | "established" | "inTurn" | "isAwaited">,
): Leftovers {
  return new Leftovers({
    world,
    disk: world.disk,
    name: `forwarder-${world.host}`,
    lifetimeMs: sweepAfterMs,
    ...seams,
  });
}

/** Closes wires of dead workloads, for clients and endpoints of other programs. Attachments close their own wires. */
function dropDead(
  { world }: AgentOptions,
  {
    attachments,
    wires,
    managing,
  }: { readonly attachments: Attachments; readonly wires: KeptWires; readonly managing: ConnectionRole },
): void {
  closeDeadWorkloads({
    world,
    kernel: world.kernel,
    wires,
    own: () => new Set(attachments.all().map(({ connectionId }) => connectionId)),
    drop: async (id) => {
      world.log.info("the workload of a wire is gone: it is closed", { wire: id });
      await dropWire(world, managing, id);
    },
  });
}

function lifeOf({ stateFolder, sweepAfterMs }: AgentOptions) {
  return {
    ...(stateFolder !== undefined && { stateFolder }),
    ...(sweepAfterMs !== undefined && { sweepAfterMs }),
  };
}

function registryOf(
  { world, identity, url, labels = {}, leaseMs }: AgentOptions,
  registry: RegistryHop,
  onState: () => void,
): Promise<ManagerRegistry> {
  const name = `manager-${world.host}`;
  const lease = leaseMs !== undefined && { leaseMs };
  return managerRegistry({
    world,
    hops: world.hops,
    disk: world.disk,
    name,
    identity,
    url,
    registry,
    labels,
    ...lease,
    onState,
  });
}

/** The functions that make roles for attachments. */
function makersOf(
  options: AgentOptions,
  managing: ConnectionRole,
): Pick<AgentParts, "newClient" | "newEndpoint" | "newFunction"> {
  return {
    newClient: (wanted) => newClient(options, managing, wanted),
    newEndpoint: (wanted) => newEndpoint(options, wanted),
    newFunction: (wanted) => newFunction(options, managing, wanted),
  };
}

function newClient(
  { world, identity, prober }: AgentOptions,
  managing: ConnectionRole,
  wanted: NewClient,
): ConnectionRole {
  return client({
    world,
    identity,
    ...wanted,
    next: connectionsOf(managing),
    ...(prober && { isAlive: isAliveBy(world, prober) }),
  });
}

function newFunction(
  { world, identity, prober }: AgentOptions,
  managing: ConnectionRole,
  wanted: NewFunction,
): ConnectionRole {
  return serviceFunctionRole({
    world,
    identity,
    ...wanted,
    next: connectionsOf(managing),
    isAlive: prober ? isAliveBy(world, prober) : () => Promise.resolve(false),
  });
}

/** Whether the far end of a wire answers an echo request from its client's device. */
function isAliveBy(world: World, prober: Prober): (connection: Connection) => Promise<boolean> {
  return async ({ mechanism, context }) => {
    const device = mechanism && deviceOf(readMechanism(mechanism));
    const address = context?.ipContext?.dstIpAddrs[0]?.split("/")[0];
    if (device === undefined || address === undefined) return false;
    return await isAlive(world, prober, device, address);
  };
}

async function isAlive(
  { log }: World,
  prober: Prober,
  { netns, interfaceName: device }: NonNullable<ReturnType<typeof deviceOf>>,
  address: string,
): Promise<boolean> {
  try {
    const answer = await prober.probe(netns, address, { device, timeoutMs: ALIVE_TIMEOUT_MS });
    return answer.rttMs !== undefined;
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    log.debug("a wire cannot be probed", { device, error: error.message });
    return false;
  }
}

function newEndpoint({ world, identity }: AgentOptions, wanted: NewEndpoint): ConnectionRole {
  const { addresses, ...rest } = wanted;
  return endpoint({ world, identity, ...rest, ...(addresses && { addresses }) });
}

/** Closes the connections of the wire that this host's manager knows, on both sides. */
async function dropWire({ log }: World, managing: ConnectionRole, wireId: string): Promise<void> {
  for (const connection of managing.established()) {
    if (wireIdOf(connection) !== wireId) continue;
    try {
      await managing.drop(connection.id);
    } catch (error) {
      // This host's part is gone; the parts at other hosts expire.
      if (!(error instanceof NetloomError)) throw error;
      log.debug("not every station has closed a wire; the rest expires", {
        wire: wireId,
        error: error.message,
      });
    }
  }
}
