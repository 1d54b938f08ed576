/**
 * Who offers what, for a whole mesh. Upstream: sdk/pkg/registry/chains/memory/server.go at 9ac672c
 *
 * ```
 *  Register, Unregister ─> door ─> chain ─> registrations ─> store
 *                                                └─> catalog ─> Find, Watch
 * ```
 */
import type { Store } from "../world/store.ts";
import { create } from "@bufbuild/protobuf";
import { LeaseStateSchema, Registry as RegistryApi } from "../api/gen/netloom/registry_pb.js";
import {
  NetworkServiceEndpointRegistry,
  NetworkServiceRegistry,
  type NetworkService,
  type NetworkServiceEndpoint,
} from "../api/gen/nsm/registry_pb.js";
import { serveRegistries, type EndpointRegistryServer, type ServiceRegistryServer } from "../api/hops.ts";
import { methodPath, serve, type Context, type Served } from "../api/rpc.ts";
import { compose } from "../chain/element.ts";
import { mustAllow, question } from "../policy/authorize.ts";
import { authorize, mayFind } from "../registry/authorize.ts";
import { endpointKind, serviceKind } from "../registry/entry-kind.ts";
import { expire } from "../registry/expire.ts";
import { Finder, withBytes } from "../registry/find.ts";
import { follow } from "../registry/follow.ts";
import { claimHost, HostNames } from "../registry/host-names.ts";
import { leaseGroup } from "../registry/lease-metadata.ts";
import { Leases } from "../registry/leases.ts";
import { RegistrationDoor } from "../registry/registration-door.ts";
import { Registrations } from "../registry/registrations.ts";
import { updatePath } from "../registry/registry-path.ts";
import { setPayload } from "../registry/set-payload.ts";
import { setRegistrationTime } from "../registry/set-registration-time.ts";
import { NetloomError } from "../errors/errors.ts";
import type { RoleOptions } from "./role.ts";

export interface RegistryOptions extends RoleOptions {
  readonly store: Store;
  /** How long an endpoint is served after its last sign of life. Default: 60,000 ms. */
  readonly leaseMs?: number;
  /** Open watches, of all peers together. Default: 10,000. */
  readonly maxWatchers?: number;
}

export interface Registry {
  readonly services: ServiceRegistryServer;
  readonly endpoints: EndpointRegistryServer;
  /** Both registries of the contract, and what our own managers ask for. For `serveAll`. */
  readonly served: readonly Served[];
  /** How much there is, for people. */
  status(): { readonly services: number; readonly endpoints: number; readonly watchers: number };
}

/** How soon an endpoint that has expired, and could not be taken out, is looked at again. */
const RETRY_MS = 1000;

/**
 * Opens the registry that its store holds. What was registered is served at once, and has one lease's time to show
 * that it still lives.
 */
export async function registry(options: RegistryOptions): Promise<Registry> {
  const { world, store } = options;
  const services = await Registrations.load(world, store, serviceKind);
  const endpoints = await Registrations.load(world, store, endpointKind);
  const leases: Leases = new Leases({
    world,
    ...(options.leaseMs !== undefined && { leaseMs: options.leaseMs }),
    onExpired: async (names) => void (await Promise.all(names.map(lose))),
  });
  const hosts = new HostNames({ clock: world.clock, leaseMs: leases.leaseMs });
  endpoints.catalog.expirations = () => leases.expirations();
  const doors = {
    services: serviceDoor(options, services),
    endpoints: endpointDoor(options, { endpoints, leases, hosts }),
  };
  const lose = async (name: string): Promise<void> => {
    try {
      await doors.endpoints.lose(endpointKind.named(name), () => !leases.has(name));
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      leases.renew(name, { ttlMs: RETRY_MS });
    }
  };
  for (const { name, owner, lease, host } of endpoints.catalog.entries()) {
    leases.renew(name, { ttlMs: leases.leaseMs, group: leaseGroup(owner, lease) });
    hosts.restore(host, owner);
  }
  return serveRegistry({ options, services, endpoints, leases, hosts, doors });
}

/** Whether `service` adds matches to one that has none. Then it belongs to who describes it. */
function describes(service: NetworkService, known: NetworkService | undefined): boolean {
  return known?.matches.length === 0 && service.matches.length > 0 && service.payload === known.payload;
}

function serviceDoor(
  { world, identity }: RegistryOptions,
  services: Registrations<NetworkService>,
): RegistrationDoor<NetworkService> {
  const chain = compose<NetworkService, NetworkService>(
    [
      updatePath(identity),
      setPayload(),
      authorize({
        authorize: identity.authorize,
        kind: serviceKind,
        registered: {
          ownerOf: (name) => services.ownerOf(name),
          urlOf: () => undefined,
          // Hosts that offer the same service each say what it is; and one that is only offered may still be described.
          isHarmless: (service) => services.has(service) || describes(service, services.get(service.name)),
        },
      }),
    ],
    services,
  );
  return new RegistrationDoor(world, serviceKind, chain);
}

function endpointDoor(
  { world, identity }: RegistryOptions,
  parts: {
    readonly endpoints: Registrations<NetworkServiceEndpoint>;
    readonly leases: Leases;
    readonly hosts: HostNames;
  },
): RegistrationDoor<NetworkServiceEndpoint> {
  const { endpoints, leases, hosts } = parts;
  const chain = compose<NetworkServiceEndpoint, NetworkServiceEndpoint>(
    [
      updatePath(identity),
      claimHost(hosts),
      authorize({
        authorize: identity.authorize,
        kind: endpointKind,
        registered: {
          ownerOf: (name) => endpoints.ownerOf(name),
          urlOf: (name) => endpoints.catalog.get(name)?.url,
        },
      }),
      setRegistrationTime((name) => {
        const known = endpoints.catalog.get(name);
        return known && endpointKind.entryOf(known);
      }),
      expire({ leases, identity }),
    ],
    endpoints,
  );
  return new RegistrationDoor(world, endpointKind, chain);
}

function serveRegistry(parts: {
  readonly options: RegistryOptions;
  readonly services: Registrations<NetworkService>;
  readonly endpoints: Registrations<NetworkServiceEndpoint>;
  readonly leases: Leases;
  readonly hosts: HostNames;
  readonly doors: {
    readonly services: ReturnType<typeof serviceDoor>;
    readonly endpoints: ReturnType<typeof endpointDoor>;
  };
}): Registry {
  const { options, leases, hosts, doors } = parts;
  const catalogs = { services: parts.services.catalog, endpoints: parts.endpoints.catalog };
  const maxWatchers = options.maxWatchers ?? 10_000;
  const admit = (): void => {
    if (catalogs.services.watches + catalogs.endpoints.watches < maxWatchers) return;
    throw new NetloomError(
      "RESOURCE_EXHAUSTED",
      `watch the registry: ${maxWatchers} watches are open already`,
    );
  };
  const { authorize: decide } = options.identity;
  const findServices = new Finder({
    kind: serviceKind,
    catalog: catalogs.services,
    may: (peer, query) => mayFind(decide, serviceKind, { peer, query }),
    admit,
  });
  const findEndpoints = new Finder({
    kind: endpointKind,
    catalog: catalogs.endpoints,
    may: (peer, query) => mayFind(decide, endpointKind, { peer, query }),
    admit,
  });
  const services: ServiceRegistryServer = {
    request: (caller, service) => doors.services.request(caller, service),
    close: (caller, service) => doors.services.close(caller, service),
    find: ({ peer }, query) => findServices.find(query, peer),
  };
  const endpoints: EndpointRegistryServer = {
    request: (caller, endpoint) => doors.endpoints.request(caller, endpoint),
    close: (caller, endpoint) => doors.endpoints.close(caller, endpoint),
    find: ({ peer }, query) => findEndpoints.find(query, peer),
  };
  const own = serve(RegistryApi, {
    keepAlive: async ({ name }, { peer, metadata }: Context) => {
      mustAllow(decide, question(peer, "register", { kind: "lease", name }));
      const isHost = hosts.claim(metadata, peer.principal);
      const group = leaseGroup(peer.principal, name);
      const names = group === undefined ? undefined : leases.renewGroup(group);
      if (!names && !isHost)
        throw new NetloomError("NOT_FOUND", `keep lease ${name} alive: nothing is registered under it`);
      if (catalogs.endpoints.wantsTouches) for (const each of names ?? []) catalogs.endpoints.touch(each);
      return create(LeaseStateSchema, { endpoints: names?.size ?? 0, ttlMs: BigInt(leases.leaseMs) });
    },
    watch: (_all, { peer }) => {
      mustAllow(decide, question(peer, "find", { kind: "registry", name: "", services: [] }));
      admit();
      return follow(catalogs);
    },
  });
  return {
    services,
    endpoints,
    served: [
      ...serveRegistries(services, endpoints).map((served) =>
        withBytes(served, {
          [methodPath(NetworkServiceRegistry.method.find)]: (query, peer) =>
            findServices.findBytes(query, peer),
          [methodPath(NetworkServiceEndpointRegistry.method.find)]: (query, peer) =>
            findEndpoints.findBytes(query, peer),
        }),
      ),
      own,
    ],
    status: () => ({
      services: catalogs.services.size,
      endpoints: catalogs.endpoints.size,
      watchers: catalogs.services.watches + catalogs.endpoints.watches,
    }),
  };
}
