/**
 * The registry as a host sees it, between its processes and the registry of the mesh.
 * Upstream: the registry half of sdk/pkg/networkservice/chains/nsmgr/server.go at 9ac672c
 *
 * ```
 *  Register, Unregister ─> begin ─> chain ─> registry
 *                                     └─ keeper: keeps all of it alive
 *  Find ─> view ─> cache <─ watch ─ registry
 * ```
 */
import type { Disk } from "../world/disk.ts";
import type { NetworkService, NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import {
  type EndpointRegistryServer,
  serveRegistries,
  type ServiceRegistryServer,
  type Stations,
  stationsOver,
} from "../api/hops.ts";
import type { Served } from "../api/rpc.ts";
import { Begin, type ResourceKind } from "../chain/begin.ts";
import { compose } from "../chain/element.ts";
import { mustAllow, question } from "../policy/authorize.ts";
import { authorize, mayFind } from "../registry/authorize.ts";
import { clientInfo } from "../registry/client-info.ts";
import { endpointKind, serviceKind } from "../registry/entry-kind.ts";
import { expire } from "../registry/leases/expire.ts";
import { Keeper } from "../registry/keep-registered.ts";
import { Leases } from "../registry/leases/leases.ts";
import { LocalBypass } from "../registry/local-bypass.ts";
import type { Labels } from "../registry/matching/match.ts";
import { RegistrationDoor } from "../registry/registration-door.ts";
import { updatePath, registrationWay } from "../registry/registry-path.ts";
import { View } from "../registry/view.ts";
import { type RegistryView, WatchCache } from "../registry/watch/watch-cache.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Hop, Hops, SeveralHops } from "../world/hops.ts";
import type { RoleOptions } from "./role.ts";

export interface ManagerRegistryOptions extends RoleOptions {
  /**
   * The URL at which other hosts reach this manager: `tcp://10.0.0.1:5001`. Endpoints of this host are registered with
   * this URL.
   */
  readonly url: string;
  readonly hops: Hops;
  /** Keeps the registry's last answers. */
  readonly disk: Disk;
  /** Netloom's registry or another implementation. `hopTo` leads to one in this process. */
  readonly registry: Hop | SeveralHops;
  /** Lifetime of an endpoint of another process after its last refresh. Default: 60,000 ms. */
  readonly leaseMs?: number;
  /** Labels added to endpoints that lack them: `nodeName`, `clusterName`. */
  readonly labels?: Labels;
  /** Called when the state of the view, or its reason, has changed. */
  readonly onState?: () => void;
}

/**
 * Keeps endpoints registered. Endpoints of roles of this process (peer `self`) stay registered until they are closed,
 * also after the registry has lost them. Endpoints of other processes stay registered while they refresh.
 */
export interface ManagerRegistry {
  readonly services: ServiceRegistryServer;
  readonly endpoints: EndpointRegistryServer;
  /** Both registries, for `serveAll`. */
  readonly served: readonly Served[];
  /** The state of the view: how much of the registry is known, and how fresh that is. */
  view(): RegistryView;
}

const ENDPOINT: Readonly<ResourceKind<NetworkServiceEndpoint, NetworkServiceEndpoint>> = {
  noun: "endpoint",
  idOf: ({ name }) => name,
  idOfResource: ({ name }) => name,
  cloneRequest: endpointKind.clone,
  cloneResource: endpointKind.clone,
  wantsReselect: () => false,
  unestablished: endpointKind.clone,
  again: ({ request }) => {
    const again = endpointKind.clone(request);
    delete again.expirationTime;
    return again;
  },
};

/** Reads the last answers from `disk` and begins to watch the registry. Does not wait for the registry. */
export async function managerRegistry(options: ManagerRegistryOptions): Promise<ManagerRegistry> {
  const { world, hops, disk, registry, name } = options;
  const bypass = new LocalBypass(options.url, (url) => hops.hold(url));
  const { identity, onState, url } = options;
  const host = { name: world.host, url };
  const keeper = new Keeper({
    world,
    registry,
    name,
    host,
    vouch: identity.vouch,
    onRefusal: onState,
  });
  const cache = await WatchCache.open({ world, disk, registry, onNews: () => keeper.look(), onState });
  keeper.start(cache);
  const stations = stationsOver(registry, world.clock);
  const doors = {
    services: serviceDoor(options, stations, keeper),
    endpoints: endpointDoor(options, { stations, keeper, bypass, cache }),
  };
  const serviceView = new View({
    world,
    kind: serviceKind,
    cache,
    catalog: cache.services,
    ask: (scope, query) => stations.services.find({ scope }, query),
    seen: (service) => service,
  });
  const endpointView = new View({
    world,
    kind: endpointKind,
    cache,
    catalog: cache.endpoints,
    ask: (scope, query) => stations.endpoints.find({ scope }, query),
    seen: (endpoint, isDeleted) => bypass.seen(endpoint, isDeleted),
  });
  const services: ServiceRegistryServer = {
    request: (caller, service) => doors.services.request(caller, service),
    close: (caller, service) => doors.services.close(caller, service),
    find: ({ peer, scope }, query) => {
      mayFind(identity.authorize, serviceKind, { peer, query });
      return serviceView.find(scope, query);
    },
  };
  const endpoints: EndpointRegistryServer = {
    request: (caller, endpoint) => doors.endpoints.request(caller, endpoint),
    close: (caller, endpoint) => doors.endpoints.close(caller, endpoint),
    find: ({ peer, scope }, query) => {
      mayFind(identity.authorize, endpointKind, { peer, query });
      return endpointView.find(scope, query);
    },
  };
  return {
    services,
    endpoints,
    served: serveRegistries(services, endpoints),
    view: () => viewOf(cache, keeper),
  };
}

/** If the registry answers but refuses registrations of this host, the reason is the refusal. */
function viewOf(cache: WatchCache, { refusal }: Keeper): RegistryView {
  const view = cache.view();
  if (!refusal || view.state !== "fresh") return view;
  const { message, hint } = refusal;
  return { ...view, reason: hint === undefined ? message : `${message}; ${hint}` };
}

function serviceDoor(
  { world, identity }: ManagerRegistryOptions,
  { services }: Stations,
  keeper: Keeper,
): RegistrationDoor<NetworkService> {
  const chain = compose<NetworkService, NetworkService>(
    [
      updatePath(identity),
      authorize({ authorize: identity.authorize, kind: serviceKind }),
      keeper.serviceElement(),
    ],
    services,
  );
  return new RegistrationDoor(world, serviceKind, chain);
}

function endpointDoor(
  { world, name, identity, labels = {}, leaseMs }: ManagerRegistryOptions,
  parts: {
    readonly stations: Stations;
    readonly keeper: Keeper;
    readonly bypass: LocalBypass;
    readonly cache: WatchCache;
  },
): Begin<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  const { stations, keeper, bypass, cache } = parts;
  const leases: Leases = new Leases({
    world,
    onExpired: async (names) => void (await Promise.all(names.map(lose))),
  });
  // Endpoints of this host expire by this host's own leases, not by the leases in the registry.
  const told = cache.endpoints.expirations;
  cache.endpoints.expirations = () => {
    const [here, there] = [leases.expirations(), told()];
    return (name) => here(name) ?? there(name);
  };
  const lose = async (name: string): Promise<void> => {
    try {
      await keeper.triggerOf(name)?.close({ reason: "lost", isDue: () => !leases.has(name) });
    } catch (error) {
      // The keeper keeps trying.
      if (!(error instanceof NetloomError)) throw error;
      world.log.debug("a lost endpoint cannot be unregistered yet", {
        endpoint: name,
        error: error.message,
      });
    }
  };
  const chain = compose<NetworkServiceEndpoint, NetworkServiceEndpoint>(
    [
      updatePath(identity),
      clientInfo(labels),
      expire({ leases, identity, leaseMs, isKept: ({ peer }) => peer.origin.kind === "self" }),
      bypass.element(),
      keeper.element(),
    ],
    stations.endpoints,
  );
  return new Begin(world, ENDPOINT, chain, {
    name,
    admit: (asked) => {
      const { caller, owner, verb } = asked;
      const { name: endpoint, url } = asked.verb === "request" ? asked.request : asked.resource;
      const action = verb === "request" ? "register" : "unregister";
      const way = registrationWay(caller.metadata, identity);
      mustAllow(
        identity.authorize,
        question(caller.peer, action, { kind: "endpoint", name: endpoint, url, owner }, way),
      );
    },
  });
}
