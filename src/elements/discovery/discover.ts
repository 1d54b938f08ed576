/**
 * Finds the endpoints that may serve a connection, with the reasons. Upstream:
 * sdk/pkg/networkservice/common/discover/server.go
 */
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { EndpointRegistryHop, ServiceRegistryHop } from "../../api/hops.ts";
import { memoryKey } from "../../chain/call.ts";
import { matchEndpoints, type Candidate, type Decision } from "../../registry/matching/match.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { findEndpoints, findService, type FindCall } from "./find.ts";
import { closeWhileRegistered, requestWhileRegistered } from "./while-registered.ts";

/** The candidates of a service and how they were found: data for `netloom why`, before and after a request. */
export interface Discovery {
  readonly service: string;
  readonly payload: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Names of all endpoints of the service that have not expired. */
  readonly endpoints: readonly string[];
  readonly decisions: readonly Decision[];
  /** Best first, in the order of the service's matches. An endpoint may be in the list twice. */
  readonly candidates: readonly Candidate[];
}

export interface Registries {
  readonly services: ServiceRegistryHop;
  readonly endpoints: EndpointRegistryHop;
}

/** For `select`. */
export const CANDIDATES = memoryKey<Discovery>("discover: candidates");

/**
 * Finds the candidates of `connection.networkService` without changing anything. NOT_FOUND if the service does not
 * exist.
 */
export async function discoverCandidates(
  call: FindCall,
  registries: Registries,
  connection: Pick<Connection, "networkService" | "payload" | "labels">,
): Promise<Discovery> {
  const { networkService: name, payload, labels } = connection;
  if (name === "") {
    throw new NetloomError("INVALID_ARGUMENT", "find an endpoint: the request names no network service");
  }
  const service = await findService(call, registries.services, { name, payload });
  const all = await findEndpoints(call, registries.endpoints, { networkServiceNames: [name] });
  const decisions: Decision[] = [];
  const candidates = matchEndpoints(labels, service, all, (decision) => decisions.push(decision));
  return {
    service: name,
    payload: service.payload,
    labels: { ...labels },
    endpoints: all.map((endpoint) => endpoint.name),
    decisions,
    candidates,
  };
}

/**
 * Guarantees
 * - A connection that names its endpoint goes to that endpoint or fails: NOT_FOUND, or UNAVAILABLE as soon as the
 *   registry drops the endpoint.
 * - A close waits only a short time for an endpoint that is not in the registry.
 * - Otherwise the service's matches determine the candidates for `select`, and the service sets the payload. If no
 *   candidate remains, the error says why each endpoint was dropped.
 */
export function discover(
  registries: Registries,
  onDiscovery?: (id: string, found: Discovery) => void,
): ConnectionElement {
  return {
    name: "discover",
    async request(call, request, next) {
      call.memory.delete(CANDIDATES);
      const connection = connectionOf(request);
      const name = connection.networkServiceEndpointName;
      if (name !== "") {
        const found = await findEndpoints(call, registries.endpoints, { name });
        const endpoint = found.find((each) => each.name === name);
        if (!endpoint) {
          throw new NetloomError("NOT_FOUND", `network service endpoint ${name} not found`, {
            topic: "NL-303",
            reason: reason("ENDPOINT_NOT_FOUND", { endpoint: name }),
          });
        }
        if (connection.payload === "" && connection.networkService !== "") {
          const service = await findService(call, registries.services, {
            name: connection.networkService,
            payload: "",
          });
          connection.payload = service.payload;
        }
        return await requestWhileRegistered(call, { endpoints: registries.endpoints, name }, (asking) =>
          next(request, { ...asking, nextUrl: endpoint.url }),
        );
      }
      const found = await discoverCandidates(call, registries, connection);
      onDiscovery?.(connection.id, found);
      if (found.candidates.length === 0) throw noCandidates(found);
      connection.payload = found.payload;
      call.memory.set(CANDIDATES, found);
      return await next(request);
    },
    async close(call, connection, next) {
      call.memory.delete(CANDIDATES);
      const asked = { endpoints: registries.endpoints, name: connection.networkServiceEndpointName };
      if (asked.name === "") await next(connection);
      else await closeWhileRegistered(call, asked, (closing) => next(connection, closing));
    },
  };
}

function noCandidates({ service, endpoints, decisions }: Discovery): NetloomError {
  const what = `find an endpoint of ${service}: network service endpoint candidates not found`;
  const hint = `\`netloom why\` shows the decision for each endpoint of ${service}`;
  const details = { topic: "NL-303", hint, reason: reason("NO_CANDIDATE", { service }) } as const;
  if (endpoints.length === 0)
    return new NetloomError("NOT_FOUND", `${what}: no endpoint offers it now`, details);
  const reasons = decisions.flatMap(reasonOf).slice(0, 5);
  return new NetloomError(
    "NOT_FOUND",
    `${what}: the service's matches lead to none of its ${endpoints.length} endpoints (${reasons.join("; ")})`,
    details,
  );
}

function reasonOf(decision: Decision): string[] {
  switch (decision.step) {
    case "source selector does not match":
      return [`match ${decision.match} is for clients with ${decision.label}`];
    case "destination selector does not match":
      return [`${decision.endpoint} is not ${decision.label}`];
    case "no match is left":
      return ["no match is for this client's labels"];
    case "no endpoint: stops here":
      return [`match ${decision.match} stops the search`];
    case "no matches: every endpoint is a candidate":
    case "match without routes: every endpoint is a candidate":
    case "no endpoint: falls through":
    case "taken":
    default:
      return [];
  }
}
