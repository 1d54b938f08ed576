/** Queries to a registry that return once, instead of watching. */
import { create } from "@bufbuild/protobuf";
import { timestampMs } from "@bufbuild/protobuf/wkt";
import {
  type NetworkService,
  type NetworkServiceEndpoint,
  NetworkServiceEndpointQuerySchema,
  type NetworkServiceEndpointSchema,
  NetworkServiceQuerySchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { EndpointRegistryHop, CallOptions, ServiceRegistryHop } from "../../api/hops.ts";
import type { Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import type { Watch } from "../../async/watch.ts";

/** Limit on the answers to one query. A registry that sends more is broken. */
const MAX_ANSWERS = 100_000;

/** The part of a call that a query needs. */
export type FindCall = Pick<Call, "world" | "scope" | "deadlineMs"> & Pick<CallOptions, "outgoing" | "span">;

/**
 * The service with this name and, unless `payload` is empty, this payload. NOT_FOUND in upstream's words if the name is
 * unknown.
 */
export async function findService(
  call: FindCall,
  services: ServiceRegistryHop,
  query: { readonly name: string; readonly payload: string },
): Promise<NetworkService> {
  const asked = create(NetworkServiceQuerySchema, { networkService: query });
  const answers = await collect(call, services.find(call, asked), `find network service ${query.name}`);
  const found = answers.find(
    ({ networkService, deleted }) => !deleted && networkService?.name === query.name,
  );
  if (found?.networkService) return found.networkService;
  if (query.payload !== "") await refuseOtherPayload(call, services, query);
  throw new NetloomError("NOT_FOUND", `network service ${query.name} is not found`, {
    topic: "NL-302",
    reason: reason("SERVICE_NOT_FOUND", { service: query.name }),
    hint: "`netloom get services` lists the services",
  });
}

/** FAILED_PRECONDITION if the service exists with another payload. */
async function refuseOtherPayload(
  call: FindCall,
  services: ServiceRegistryHop,
  { name, payload }: { readonly name: string; readonly payload: string },
): Promise<void> {
  const asked = create(NetworkServiceQuerySchema, { networkService: { name } });
  const answers = await collect(call, services.find(call, asked), `find network service ${name}`);
  const other = answers.find(({ networkService, deleted }) => !deleted && networkService?.name === name);
  if (!other?.networkService) return;
  throw new NetloomError(
    "FAILED_PRECONDITION",
    `find network service ${name}: it carries ${other.networkService.payload}, and the client requests ${payload}`,
    {
      topic: "NL-307",
      reason: reason("PAYLOAD_MISMATCH", {
        service: name,
        payload: other.networkService.payload,
        asked: payload,
      }),
      hint: "request the payload of the service, or none; or change the payload of the service",
    },
  );
}

/** The endpoints that match the query and have not expired, in the registry's order. */
export async function findEndpoints(
  call: FindCall,
  endpoints: EndpointRegistryHop,
  query: MessageInitShape<typeof NetworkServiceEndpointSchema>,
): Promise<NetworkServiceEndpoint[]> {
  const asked = create(NetworkServiceEndpointQuerySchema, { networkServiceEndpoint: query });
  const answers = await collect(call, endpoints.find(call, asked), "find endpoints");
  const nowMs = call.world.clock.wallMs();
  return answers.flatMap(({ networkServiceEndpoint: found, deleted }) =>
    found && !deleted && !(found.expirationTime && timestampMs(found.expirationTime) <= nowMs) ? [found] : [],
  );
}

/** Collects all answers until the stream ends. DEADLINE_EXCEEDED or CANCELLED if the call ends first. */
async function collect<T>(call: FindCall, watch: Watch<T>, what: string): Promise<T[]> {
  const answers: T[] = [];
  for await (const answer of watch.within(call.scope)) {
    answers.push(answer);
    if (answers.length > MAX_ANSWERS) {
      throw new NetloomError("RESOURCE_EXHAUSTED", `${what}: more than ${MAX_ANSWERS} answers`);
    }
  }
  if (call.scope.ended) {
    const isLate =
      call.world.clock.monotonicMs() >= Math.min(call.deadlineMs, call.scope.deadlineMs ?? Infinity);
    throw new NetloomError(
      isLate ? "DEADLINE_EXCEEDED" : "CANCELLED",
      `${what}: the registry did not answer before ${isLate ? "the deadline" : "the caller left"}`,
      { topic: "NL-301" },
    );
  }
  return answers;
}
