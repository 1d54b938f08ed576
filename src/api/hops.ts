/**
 * The stations of a request with their types: what a role serves, and how it sees the next station. The next station
 * has the same type whether it is a role of this process, behind a byte `Hop`, or behind a simulated link.
 *
 * ```
 *  server role: request(caller, message)        hop: request(call, message)
 *       ^ serveConnections, serveRegistries          | stationsOver: bytes
 *       |                                            | connectionsOf, servicesOf, endpointsOf: in this process
 * ```
 */
import { traceHeaders } from "../observe/trace-context.ts";
import type { Span } from "../observe/trace.ts";
import { copyMessage } from "./copy-message.ts";
import {
  create,
  type DescMessage,
  type DescMethodUnary,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";
import type { Watch } from "../async/watch.ts";
import type { Scope } from "../async/scope.ts";
import type { Clock } from "../async/clock.ts";
import type { Incoming, Hop, Metadata, SeveralHops, Waiting } from "../world/hops.ts";
import { type Peer, SELF } from "../world/peer.ts";
import {
  type Connection,
  type ConnectionEvent,
  MonitorConnection,
  type MonitorScopeSelector,
} from "./gen/nsm/connection_pb.js";
import {
  NetworkService as NetworkServiceApi,
  type NetworkServiceRequest,
} from "./gen/nsm/networkservice_pb.js";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  type NetworkServiceEndpointQuery,
  NetworkServiceEndpointRegistry,
  type NetworkServiceEndpointResponse,
  type NetworkServiceQuery,
  NetworkServiceRegistry,
  type NetworkServiceResponse,
} from "./gen/nsm/registry_pb.js";
import { call, serve, type Served, watch } from "./rpc.ts";

/** A caller that waits for an answer, with its deadline. Every `Call` of a chain is one. */
export interface CallOptions {
  /** Ends when the caller goes away. */
  readonly scope: Scope;
  /** Time of `Clock.monotonicMs`. */
  readonly deadlineMs: number;
  /** Metadata that travels beside the message to the next station. */
  readonly outgoing?: Metadata;
  /** Makes further metadata once the recipient is known, which takes a connection: tokens. Not called for streams. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** The trace step that the next station continues. */
  readonly span?: Span;
}

/** The next station of a connection. It does not change messages that go in; the caller owns messages that come out. */
export interface ConnectionHop {
  request(call: CallOptions, request: NetworkServiceRequest): Promise<Connection>;
  close(call: CallOptions, connection: Connection): Promise<void>;
  /**
   * The first event is INITIAL_STATE_TRANSFER, even if it is empty. Rejects when the stream breaks. It has no deadline.
   */
  monitor(
    call: Pick<CallOptions, "scope" | "outgoing" | "span">,
    selector: MonitorScopeSelector,
  ): Watch<ConnectionEvent>;
}

/** The next station of registrations `T`: `request` registers or refreshes, `close` unregisters. */
interface RegistryHop<T, Query, Answer> {
  request(call: CallOptions, entry: T): Promise<T>;
  close(call: CallOptions, entry: T): Promise<void>;
  find(call: Pick<CallOptions, "scope" | "outgoing" | "span">, query: Query): Watch<Answer>;
}

export type ServiceRegistryHop = RegistryHop<NetworkService, NetworkServiceQuery, NetworkServiceResponse>;
export type EndpointRegistryHop = RegistryHop<
  NetworkServiceEndpoint,
  NetworkServiceEndpointQuery,
  NetworkServiceEndpointResponse
>;

/** The interface that a connection role implements. It may change and keep the messages it gets. */
export interface ConnectionServer {
  request(caller: Incoming, request: NetworkServiceRequest): Promise<Connection>;
  close(caller: Incoming, connection: Connection): Promise<void>;
  monitor(caller: Incoming, selector: MonitorScopeSelector): Watch<ConnectionEvent>;
}

/** The interface that a registry role implements. */
interface RegistryServer<T, Query, Answer> {
  request(caller: Incoming, entry: T): Promise<T>;
  close(caller: Incoming, entry: T): Promise<void>;
  find(caller: Incoming, query: Query): Watch<Answer>;
}

export type ServiceRegistryServer = RegistryServer<
  NetworkService,
  NetworkServiceQuery,
  NetworkServiceResponse
>;
export type EndpointRegistryServer = RegistryServer<
  NetworkServiceEndpoint,
  NetworkServiceEndpointQuery,
  NetworkServiceEndpointResponse
>;

/** All stations that one process may offer to others. */
export interface Stations {
  readonly connections: ConnectionHop;
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
}

/** Finds the stations at a URL. Never fails: a call to a missing station fails (UNAVAILABLE). */
export interface Directory {
  connect(url: string): Stations;
}

/** A role of this process as the next station. */
export function connectionsOf(server: ConnectionServer, peer: Peer = SELF): ConnectionHop {
  return {
    request: async (call, request) =>
      copyMessage(await server.request(callerOf(call, peer), copyMessage(request))),
    close: (call, connection) => server.close(callerOf(call, peer), copyMessage(connection)),
    monitor: (call, selector) =>
      server
        .monitor(callerOf({ ...call, deadlineMs: Infinity }, peer), copyMessage(selector))
        .map(copyMessage),
  };
}

/** A registry role of this process as the next station. */
export function servicesOf(server: ServiceRegistryServer, peer: Peer = SELF): ServiceRegistryHop {
  return registryOf(server, peer);
}

export function endpointsOf(server: EndpointRegistryServer, peer: Peer = SELF): EndpointRegistryHop {
  return registryOf(server, peer);
}

function registryOf<T extends Message, Query extends Message, Answer extends Message>(
  server: RegistryServer<T, Query, Answer>,
  peer: Peer,
): RegistryHop<T, Query, Answer> {
  return {
    request: async (call, entry) =>
      copyMessage(await server.request(callerOf(call, peer), copyMessage(entry))),
    close: (call, entry) => server.close(callerOf(call, peer), copyMessage(entry)),
    find: (call, query) =>
      server.find(callerOf({ ...call, deadlineMs: Infinity }, peer), copyMessage(query)).map(copyMessage),
  };
}

/** The stations at the other end of a byte hop, or of one of several. */
export function stationsOver(hop: Hop | SeveralHops, clock: Clock): Stations {
  const send = async <I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    message: MessageShape<I>,
    waiting: CallOptions,
  ): Promise<MessageShape<O>> => {
    const { scope, deadlineMs, vouch } = waiting;
    const timeoutMs = Math.max(0, deadlineMs - clock.monotonicMs());
    // A token is valid only for its recipient: if another peer is asked instead, it gets another token.
    const ask = async (one: Hop, own: Waiting): Promise<MessageShape<O>> => {
      const untilMs = clock.monotonicMs() + own.timeoutMs;
      const known = beside(waiting);
      const metadata = vouch ? { ...known, ...vouch(await one.peer(own)) } : known;
      const leftMs = Math.max(0, untilMs - clock.monotonicMs());
      return await call(one, method, message, { ...own, timeoutMs: leftMs, metadata });
    };
    return "ask" in hop ? await hop.ask({ scope, timeoutMs }, ask) : await ask(hop, { scope, timeoutMs });
  };
  const connection = NetworkServiceApi.method;
  const [service, endpoint] = [NetworkServiceRegistry.method, NetworkServiceEndpointRegistry.method];
  return {
    connections: {
      request: (waiting, request) => send(connection.request, request, waiting),
      close: async (waiting, closed) => void (await send(connection.close, closed, waiting)),
      monitor: (waiting, selector) =>
        watch(hop, MonitorConnection.method.monitorConnections, selector, beside(waiting)),
    },
    services: {
      request: (waiting, entry) => send(service.register, entry, waiting),
      close: async (waiting, entry) => void (await send(service.unregister, entry, waiting)),
      find: (waiting, query) => watch(hop, service.find, query, beside(waiting)),
    },
    endpoints: {
      request: (waiting, entry) => send(endpoint.register, entry, waiting),
      close: async (waiting, entry) => void (await send(endpoint.unregister, entry, waiting)),
      find: (waiting, query) => watch(hop, endpoint.find, query, beside(waiting)),
    },
  };
}

/** The NetworkService and MonitorConnection services of a role, for `serveAll`. */
export function serveConnections(server: ConnectionServer): Served[] {
  return [
    serve(NetworkServiceApi, {
      request: (request, context) => server.request(context, request),
      close: async (connection, context) => {
        await server.close(context, connection);
        return create(EmptySchema);
      },
    }),
    serve(MonitorConnection, {
      monitorConnections: (selector, context) => server.monitor(context, selector),
    }),
  ];
}

/** Both registry services, for `serveAll`. */
export function serveRegistries(
  services: ServiceRegistryServer,
  endpoints: EndpointRegistryServer,
): Served[] {
  return [
    serve(NetworkServiceRegistry, {
      register: (entry, context) => services.request(context, entry),
      find: (query, context) => services.find(context, query),
      unregister: async (entry, context) => {
        await services.close(context, entry);
        return create(EmptySchema);
      },
    }),
    serve(NetworkServiceEndpointRegistry, {
      register: (entry, context) => endpoints.request(context, entry),
      find: (query, context) => endpoints.find(context, query),
      unregister: async (entry, context) => {
        await endpoints.close(context, entry);
        return create(EmptySchema);
      },
    }),
  ];
}

/** The caller of a call between roles of one process: the process itself. */
function callerOf(call: CallOptions, peer: Peer): Incoming {
  const { scope, deadlineMs, vouch } = call;
  return { scope, deadlineMs, peer, metadata: { ...beside(call), ...vouch?.(SELF) } };
}

/** All metadata beside a message. */
function beside({ outgoing, span }: Pick<CallOptions, "outgoing" | "span">): Metadata {
  return span?.context ? { ...outgoing, ...traceHeaders(span) } : (outgoing ?? {});
}
