/**
 * The registry of services and endpoints for a whole mesh. Upstream: sdk/pkg/registry/chains/memory/server.go at 9ac672c
 *
 * ```
 *  Register, Unregister ─> door ─> chain ─> registrations ─> store <─ other registries
 *                                                │             │
 *                                Find, Watch <─ catalog <─ view, by list and watch
 * ```
 */
import type { Store } from "../world/store.ts";
import type { Ports } from "../world/world.ts";
import { create } from "@bufbuild/protobuf";
import {
  type LeaseState,
  LeaseStateSchema,
  Registry as RegistryApi,
} from "../api/gen/netloom/registry_pb.js";
import {
  NetworkServiceEndpointRegistry,
  NetworkServiceRegistry,
  type NetworkService,
  type NetworkServiceEndpoint,
} from "../api/gen/nsm/registry_pb.js";
import { serveRegistries, type EndpointRegistryServer, type ServiceRegistryServer } from "../api/hops.ts";
import type { Incoming } from "../world/hops.ts";
import { methodPath, serve, serveAll, type Served } from "../api/rpc.ts";
import { compose } from "../chain/element.ts";
import { mustAllow, question } from "../policy/authorize.ts";
import { authorize, mayFind } from "../registry/authorize.ts";
import { endpointKind, serviceKind } from "../registry/entry-kind.ts";
import { retryOvertaken } from "../registry/decide-anew.ts";
import { expireInStore } from "../registry/leases/expire-in-store.ts";
import { Finder, withBytes } from "../registry/find.ts";
import { followInStep } from "../registry/watch/follow.ts";
import { claimHost, hostOf, HostNames } from "../registry/names/host-names.ts";
import { hostLeaseName, LeaseBook } from "../registry/leases/lease-book.ts";
import { DEFAULT_LEASE_MS } from "../registry/leases/lifetime.ts";
import { RegistrationDoor } from "../registry/registration-door.ts";
import { Registrations } from "../registry/registrations.ts";
import { updatePath } from "../registry/registry-path.ts";
import { setPayload } from "../registry/set-payload.ts";
import { setRegistrationTime } from "../registry/set-registration-time.ts";
import { StoreView } from "../registry/store-view.ts";
import { takeOver } from "../registry/take-over.ts";
import { NetloomError } from "../errors/errors.ts";
import type { RoleOptions } from "./role.ts";

export interface RegistryOptions extends RoleOptions {
  readonly store: Store;
  /** Lifetime of an endpoint after its last sign of life. Default: 60,000 ms. */
  readonly leaseMs?: number;
  /** Open watches, of all peers together. Default: 10,000. */
  readonly maxWatchers?: number;
}

export interface Registry {
  readonly services: ServiceRegistryServer;
  readonly endpoints: EndpointRegistryServer;
  /** Both registries of NSM's contract, and Netloom's own service for its managers. For `serveAll`. */
  readonly served: readonly Served[];
  /** Counts for users. */
  status(): { readonly services: number; readonly endpoints: number; readonly watchers: number };
}

/** Opens a registry, and serves it at every URL of `listen`. */
export async function openRegistry({
  listen,
  ...options
}: RegistryOptions & {
  readonly world: Pick<Ports, "hops">;
  readonly listen: readonly string[];
}): Promise<Registry> {
  const role = await registry(options);
  for (const url of listen) await options.world.hops.serve(url, serveAll(role.served));
  return role;
}

/**
 * Opens the registry of a store, and watches the store until `World.scope` ends. Stored entries are served at once; the
 * store decides when they expire. Rejects if the store cannot be read.
 */
export async function registry(options: RegistryOptions): Promise<Registry> {
  const { world, store, leaseMs = DEFAULT_LEASE_MS } = options;
  const view = new StoreView({ world, store });
  const book = new LeaseBook({ clock: world.clock, leaseMs });
  const parts: Parts = {
    view,
    book,
    services: new Registrations({ view, kind: serviceKind }),
    endpoints: new Registrations({ view, kind: endpointKind, book }),
    hosts: new HostNames({ view, leaseMs }),
  };
  await view.start();
  await takeOver({ store, ...parts, leaseMs });
  return serveRegistry(options, parts);
}

interface Parts {
  readonly view: StoreView;
  readonly book: LeaseBook;
  readonly services: Registrations<NetworkService>;
  readonly endpoints: Registrations<NetworkServiceEndpoint>;
  readonly hosts: HostNames;
}

/** Whether `service` adds matches to a service without matches. The service then belongs to the peer that adds them. */
function describes(service: NetworkService, known: NetworkService | undefined): boolean {
  return known?.matches.length === 0 && service.matches.length > 0 && service.payload === known.payload;
}

function serviceDoor(
  { world, identity }: RegistryOptions,
  { view, services }: Parts,
): RegistrationDoor<NetworkService> {
  const chain = compose<NetworkService, NetworkService>(
    [
      retryOvertaken(view, services, ({ name }) => name),
      updatePath(identity),
      setPayload(),
      authorize({
        authorize: identity.authorize,
        kind: serviceKind,
        registered: {
          ownerOf: (name) => services.ownerOf(name),
          urlOf: () => undefined,
          // Several hosts may register the same service with the same content. Another peer may add matches to a
          // service without matches.
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
  { view, book, endpoints, hosts }: Parts,
): RegistrationDoor<NetworkServiceEndpoint> {
  const chain = compose<NetworkServiceEndpoint, NetworkServiceEndpoint>(
    [
      retryOvertaken(view, endpoints, ({ name }) => name),
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
      setRegistrationTime((name) => endpoints.get(name)),
      expireInStore({ book, identity }),
    ],
    endpoints,
  );
  return new RegistrationDoor(world, endpointKind, chain);
}

function serveRegistry(options: RegistryOptions, parts: Parts): Registry {
  const doors = { services: serviceDoor(options, parts), endpoints: endpointDoor(options, parts) };
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
    keepAlive: ({ name }, context) => {
      mustAllow(decide, question(context.peer, "register", { kind: "lease", name }));
      return keepAlive(parts, name, context);
    },
    watch: (_all, { peer }) => {
      mustAllow(decide, question(peer, "find", { kind: "registry", name: "", services: [] }));
      admit();
      return followInStep(parts.view, catalogs);
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

/** Handles a sign of life of a host, or of all registrations under a lease. */
async function keepAlive(
  { view, book, hosts, endpoints }: Parts,
  name: string,
  { peer: { principal: peer }, metadata }: Incoming,
): Promise<LeaseState> {
  const lease = hostLeaseName(peer, name);
  const host = hostOf(metadata);
  const ttlMs = host
    ? await hosts.claim(host, { peer, lease: name })
    : await keepLeaseAlive(view, name, lease);
  const names = lease === undefined ? new Set<string>() : book.renewHost(lease);
  if (endpoints.catalog.wantsTouches) for (const each of names) endpoints.catalog.touch(each);
  return create(LeaseStateSchema, { endpoints: names.size, ttlMs: BigInt(Math.floor(ttlMs)) });
}

async function keepLeaseAlive(view: StoreView, name: string, lease: string | undefined): Promise<number> {
  try {
    if (lease !== undefined) return await view.keepAlive(lease);
  } catch (error) {
    if (!(error instanceof NetloomError) || error.code !== "NOT_FOUND") throw error;
  }
  throw new NetloomError("NOT_FOUND", `keep lease ${name} alive: no entry has this lease`);
}
