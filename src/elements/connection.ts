/** Accessors of a connection that all elements share. */

import { copyMessage } from "../api/copy-message.ts";
import { State, type Connection, type PathSegment } from "../api/gen/nsm/connection_pb.js";
import {
  ConnectionContextSchema,
  IPContextSchema,
  type ConnectionContext,
  type IPContext,
} from "../api/gen/nsm/connectioncontext_pb.js";
import { create } from "@bufbuild/protobuf";
import { type NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import type { ResourceKind } from "../chain/begin.ts";
import type { Element, Station } from "../chain/element.ts";
import { NetloomError } from "../errors/errors.ts";

export type ConnectionElement = Element<NetworkServiceRequest, Connection>;
export type ConnectionStation = Station<NetworkServiceRequest, Connection>;

/** The connection of a request. INVALID_ARGUMENT if it has none; behind a role's door each request has one. */
export function connectionOf(request: NetworkServiceRequest): Connection {
  if (!request.connection) {
    throw new NetloomError("INVALID_ARGUMENT", "request a connection: the request has none");
  }
  return request.connection;
}

/** The segment of the process that holds the message. */
export function ownSegment({ path }: Connection): PathSegment | undefined {
  return path?.pathSegments[path.index];
}

/** The segment of the process that sent the message, if any. */
export function previousSegment({ path }: Connection): PathSegment | undefined {
  return path && path.index > 0 ? path.pathSegments[path.index - 1] : undefined;
}

export function nextSegment({ path }: Connection): PathSegment | undefined {
  return path?.pathSegments[path.index + 1];
}

export function contextOf(connection: Connection): ConnectionContext {
  return (connection.context ??= create(ConnectionContextSchema));
}

export function ipContextOf(connection: Connection): IPContext {
  return (contextOf(connection).ipContext ??= create(IPContextSchema));
}

/** Requests another endpoint and another mechanism. The context stays as requested. */
function forgetEndpoint(connection: Connection): void {
  delete connection.mechanism;
  connection.networkServiceEndpointName = "";
  connection.state = State.RESELECT_REQUESTED;
}

/**
 * Adds the stations of the last answer for a caller that does not send the answered path back: without their ids each
 * station would take the request for a new connection.
 */
function addKnownTail({ path }: Connection, last: Connection): void {
  if (!path || path.pathSegments.length !== path.index + 1) return;
  const tail = last.path?.pathSegments.slice(path.index + 1) ?? [];
  path.pathSegments.push(...tail.map((segment) => copyMessage(segment)));
}

/** Connections as `begin` sees them. */
export const CONNECTION_KIND: Readonly<ResourceKind<NetworkServiceRequest, Connection>> = {
  noun: "connection",
  idOf: (request) => connectionOf(request).id,
  idOfResource: (connection) => connection.id,
  cloneRequest: (request) => copyMessage(request),
  cloneResource: (connection) => copyMessage(connection),
  wantsReselect: (request) => connectionOf(request).state === State.RESELECT_REQUESTED,
  merge: (request, last) => {
    addKnownTail(connectionOf(request), last.resource);
    return request;
  },
  unestablished: (request) => connectionOf(request),
  again: (last, { reselect }) => {
    const request = copyMessage(last.request);
    request.connection = copyMessage(last.resource);
    // The MTU of an answer does not count as requested: the next answer may have a larger MTU.
    contextOf(request.connection).MTU = last.request.connection?.context?.MTU ?? 0;
    if (reselect) forgetEndpoint(request.connection);
    return request;
  },
  closeReason: (connection) => (connection.state === State.DOWN ? "lost" : "asked"),
};
