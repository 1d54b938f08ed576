/** Follows a registry until the connection breaks: Netloom's by one stream of changes, any other by watching and finding. */
import { create } from "@bufbuild/protobuf";
import { type Changes, Registry, WatchRequestSchema } from "../../api/gen/netloom/registry_pb.js";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  NetworkServiceEndpointQuerySchema,
  NetworkServiceQuerySchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { EndpointRegistryHop, ServiceRegistryHop, Stations } from "../../api/hops.ts";
import { watch } from "../../api/rpc.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Hop } from "../../world/hops.ts";

/** Receives the entries that a session reports. */
export interface Shelves<T> {
  put(entry: T): void;
  remove(name: string): void;
}

interface Sink {
  readonly services: Shelves<NetworkService>;
  readonly endpoints: Shelves<NetworkServiceEndpoint>;
  /** Everything is reported again from here on. */
  begin(): void;
  /** Entries not reported since `begin` are gone. */
  synced(): void;
}

export interface SessionOptions {
  readonly hop: Pick<Hop, "watch">;
  readonly stations: Pick<Stations, "services" | "endpoints">;
  readonly sink: Sink;
  readonly scope: Scope;
}

/** Rejects when the session is over: with the error that broke it, or CANCELLED when `scope` ends. */
export async function watchSession(options: SessionOptions): Promise<never> {
  try {
    return await followOurs(options);
  } catch (error) {
    if (!(error instanceof NetloomError) || error.code !== "UNIMPLEMENTED") throw error;
  }
  return await followStranger(options);
}

async function followOurs({ hop, sink, scope }: SessionOptions): Promise<never> {
  const changes = watch(hop, Registry.method.watch, create(WatchRequestSchema));
  return await each(changes, scope, (next) => apply(next, sink));
}

function apply(changes: Changes, sink: Sink): void {
  if (changes.reset) sink.begin();
  for (const service of changes.services) sink.services.put(service);
  for (const endpoint of changes.endpoints) sink.endpoints.put(endpoint);
  for (const name of changes.removedServices) sink.services.remove(name);
  for (const name of changes.removedEndpoints) sink.endpoints.remove(name);
  if (changes.synced) sink.synced();
}

/**
 * The contract's Find does not mark the end of its first list. So both kinds are watched, and then found: an entry that neither
 * reports is gone.
 */
async function followStranger({ stations, sink, scope }: SessionOptions): Promise<never> {
  const session = scope.child("stranger");
  const told = { services: new Set<string>(), endpoints: new Set<string>() };
  sink.begin();
  session.spawn("watch services", (task) => watchServices(stations.services, sink, task, told.services));
  session.spawn("watch endpoints", (task) => watchEndpoints(stations.endpoints, sink, task, told.endpoints));
  session.spawn("find", async (task) => {
    await findServices(stations.services, sink, task, told.services);
    await findEndpoints(stations.endpoints, sink, task, told.endpoints);
    sink.synced();
  });
  await session.done;
  await session.end();
  throw new NetloomError("CANCELLED", "follow the registry: the session has ended");
}

function watchServices(hop: ServiceRegistryHop, sink: Sink, scope: Scope, told: Set<string>): Promise<never> {
  const query = create(NetworkServiceQuerySchema, { networkService: {}, watch: true });
  return each(hop.find({ scope }, query), scope, ({ networkService, deleted }) => {
    if (!networkService) return;
    told.add(networkService.name);
    if (deleted) sink.services.remove(networkService.name);
    else sink.services.put(networkService);
  });
}

function watchEndpoints(
  hop: EndpointRegistryHop,
  sink: Sink,
  scope: Scope,
  told: Set<string>,
): Promise<never> {
  const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: {}, watch: true });
  return each(hop.find({ scope }, query), scope, ({ networkServiceEndpoint, deleted }) => {
    if (!networkServiceEndpoint) return;
    told.add(networkServiceEndpoint.name);
    if (deleted) sink.endpoints.remove(networkServiceEndpoint.name);
    else sink.endpoints.put(networkServiceEndpoint);
  });
}

/** An entry reported by the watch is newer than the same entry in a find. */
async function findServices(
  hop: ServiceRegistryHop,
  sink: Sink,
  scope: Scope,
  told: ReadonlySet<string>,
): Promise<void> {
  const query = create(NetworkServiceQuerySchema, { networkService: {} });
  await untilEnd(hop.find({ scope }, query), scope, ({ networkService }) => {
    if (networkService && !told.has(networkService.name)) sink.services.put(networkService);
  });
}

async function findEndpoints(
  hop: EndpointRegistryHop,
  sink: Sink,
  scope: Scope,
  told: ReadonlySet<string>,
): Promise<void> {
  const query = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: {} });
  await untilEnd(hop.find({ scope }, query), scope, ({ networkServiceEndpoint }) => {
    if (networkServiceEndpoint && !told.has(networkServiceEndpoint.name))
      sink.endpoints.put(networkServiceEndpoint);
  });
}

/** For streams that should not end. */
async function each<T>(answers: Watch<T>, scope: Scope, take: (answer: T) => void): Promise<never> {
  await untilEnd(answers, scope, take);
  throw new NetloomError("UNAVAILABLE", "follow the registry: it has ended the stream");
}

async function untilEnd<T>(answers: Watch<T>, scope: Scope, take: (answer: T) => void): Promise<void> {
  for await (const answer of answers.within(scope)) take(answer);
  if (scope.ended) throw new NetloomError("CANCELLED", `follow the registry: ${scope.name} has ended`);
}
