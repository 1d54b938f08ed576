/** The operations on the two kinds of entries of a registry: network services and endpoints. */
import { clone, create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointResponseSchema,
  NetworkServiceEndpointSchema,
  NetworkServiceQuerySchema,
  NetworkServiceResponseSchema,
  NetworkServiceSchema,
  type NetworkService,
  type NetworkServiceEndpoint,
  type NetworkServiceEndpointQuery,
  type NetworkServiceEndpointResponse,
  type NetworkServiceQuery,
  type NetworkServiceResponse,
} from "../api/gen/nsm/registry_pb.js";
import { decode } from "../api/rpc.ts";
import { matchesEndpointQuery, matchesServiceQuery } from "./matching/match.ts";

/** The keys for looking entries up. */
export interface StoreKeys {
  readonly name: string;
  /** Network services that an endpoint offers. */
  readonly services: readonly string[];
  readonly url: string;
}

/** An entry in a catalog: encoded, with its keys. Never changed, only replaced. */
export interface Listed extends StoreKeys {
  /** The canonical form: equal entries have equal bytes. The bytes of an endpoint leave out its expiration time. */
  readonly bytes: Uint8Array;
}

interface Query<T> {
  /** Fields of an entry; an empty field matches everything. */
  readonly like: T;
  readonly watch: boolean;
}

export interface EntryKind<T, Q, A> {
  /** For messages, and for the keys of a store: `endpoint`. */
  readonly noun: "service" | "endpoint";
  keysOf(entry: T): StoreKeys;
  /** An entry with a name and nothing else. */
  named(name: string): T;
  list(entry: T): Listed;
  entryOf(listed: Pick<Listed, "bytes">): T;
  clone(entry: T): T;
  /** Sets the expiration time, if the kind has one. */
  expiring(entry: T, atMs: number): T;
  /** The expiration time in the entry, on `Clock.wallMs`. */
  expirationOf(entry: T): number | undefined;
  /** INVALID_ARGUMENT for bytes that are no query, or a query that is too large. */
  readQuery(bytes: Uint8Array): Q;
  queryOf(query: Q): Query<T>;
  matches(like: T, entry: T): boolean;
  /** Whether name, services and URL alone decide a query. */
  isPlain(like: T): boolean;
  answer(entry: T, deleted: boolean): A;
  answered(answer: A): { readonly entry: T | undefined; readonly deleted: boolean };
}

export const serviceKind: Readonly<EntryKind<NetworkService, NetworkServiceQuery, NetworkServiceResponse>> = {
  noun: "service",
  keysOf: ({ name }) => ({ name, services: [], url: "" }),
  named: (name) => create(NetworkServiceSchema, { name }),
  list: (service) => {
    const canonical = clone(NetworkServiceSchema, service);
    for (const match of canonical.matches) {
      match.sourceSelector = sorted(match.sourceSelector);
      for (const route of match.routes) route.destinationSelector = sorted(route.destinationSelector);
      if (match.metadata) match.metadata.labels = sorted(match.metadata.labels);
    }
    return { name: service.name, services: [], url: "", bytes: toBinary(NetworkServiceSchema, canonical) };
  },
  entryOf: ({ bytes }) => fromBinary(NetworkServiceSchema, bytes),
  clone: (service) => clone(NetworkServiceSchema, service),
  expiring: (service) => service,
  expirationOf: () => undefined,
  readQuery: (bytes) =>
    decode(NetworkServiceQuerySchema, bytes, "INVALID_ARGUMENT", "read a query for services"),
  queryOf: ({ networkService, watch }) => ({
    like: networkService ?? create(NetworkServiceSchema),
    watch,
  }),
  matches: matchesServiceQuery,
  isPlain: (like) => like.payload === "" && like.matches.length === 0,
  answer: (networkService, deleted) => create(NetworkServiceResponseSchema, { networkService, deleted }),
  answered: ({ networkService, deleted }) => ({ entry: networkService, deleted }),
};

export const endpointKind: Readonly<
  EntryKind<NetworkServiceEndpoint, NetworkServiceEndpointQuery, NetworkServiceEndpointResponse>
> = {
  noun: "endpoint",
  keysOf: endpointKeys,
  named: (name) => create(NetworkServiceEndpointSchema, { name }),
  list: (endpoint) => {
    // Cloning the whole message would cost as much as the rest of a registration.
    const canonical = { ...endpoint, networkServiceLabels: sortedLabels(endpoint.networkServiceLabels) };
    delete canonical.expirationTime;
    return { ...endpointKeys(endpoint), bytes: toBinary(NetworkServiceEndpointSchema, canonical) };
  },
  entryOf: ({ bytes }) => fromBinary(NetworkServiceEndpointSchema, bytes),
  clone: (endpoint) => clone(NetworkServiceEndpointSchema, endpoint),
  expiring: (endpoint, atMs) => {
    endpoint.expirationTime = timestampFromMs(Math.floor(atMs));
    return endpoint;
  },
  expirationOf: expirationMs,
  readQuery: (bytes) =>
    decode(NetworkServiceEndpointQuerySchema, bytes, "INVALID_ARGUMENT", "read a query for endpoints"),
  queryOf: ({ networkServiceEndpoint, watch }) => ({
    like: networkServiceEndpoint ?? create(NetworkServiceEndpointSchema),
    watch,
  }),
  matches: matchesEndpointQuery,
  isPlain: (like) => like.expirationTime === undefined && Object.keys(like.networkServiceLabels).length === 0,
  answer: (networkServiceEndpoint, deleted) =>
    create(NetworkServiceEndpointResponseSchema, { networkServiceEndpoint, deleted }),
  answered: ({ networkServiceEndpoint, deleted }) => ({ entry: networkServiceEndpoint, deleted }),
};

/** The expiration time in an endpoint, on `Clock.wallMs`. */
export function expirationMs(endpoint: NetworkServiceEndpoint): number | undefined {
  return endpoint.expirationTime && timestampMs(endpoint.expirationTime);
}

/** Sets the expiration time of an endpoint, on `Clock.wallMs`; `undefined` removes it. */
export function setExpiration(endpoint: NetworkServiceEndpoint, atMs: number | undefined): void {
  if (atMs === undefined) delete endpoint.expirationTime;
  else endpoint.expirationTime = timestampFromMs(atMs);
}

function endpointKeys({ name, networkServiceNames, url }: NetworkServiceEndpoint): StoreKeys {
  return { name, services: [...new Set(networkServiceNames)], url };
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false;
  return true;
}

type LabelsByService = NetworkServiceEndpoint["networkServiceLabels"];

function sortedLabels(services: LabelsByService): LabelsByService {
  const inOrder = { ...sorted(services) };
  for (const [service, own] of Object.entries(inOrder)) {
    const labels = sorted(own.labels);
    if (labels !== own.labels) inOrder[service] = { ...own, labels };
  }
  return inOrder;
}

/** Returns the map itself if it is in order, as most are. */
function sorted<V>(map: Record<string, V>): Record<string, V> {
  const keys = Object.keys(map);
  if (keys.every((key, at) => at === 0 || (keys[at - 1] ?? "") < key)) return map;
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}
