/** Tries the candidates one after the other. Upstream: sdk/pkg/networkservice/common/roundrobin/server.go */
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { EndpointRegistryHop } from "../../api/hops.ts";
import type { Candidate } from "../../registry/matching/match.ts";
import { NetloomError } from "../../errors/errors.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { CANDIDATES } from "./discover.ts";
import { TurnOrder } from "./turn-order.ts";
import { requestWhileRegistered } from "./while-registered.ts";

/** What became of the candidates of one request, for `netloom why`. */
export interface Selection {
  readonly taken: string | undefined;
  /** What lies at the client's own end, so that no endpoint could better it. */
  readonly problem?: string;
  /** Who is asked now. */
  readonly asking?: string;
  readonly failed: readonly { readonly endpoint: string; readonly reason: string }[];
}

/**
 * Guarantees
 * - The candidates of `discover` are tried in the order of their turn until one answers; each gets the request as it
 *   came. An answered connection names its endpoint. One that the registry drops meanwhile is not waited for.
 * - An error whose reason lies at the client's own end is given back as it is: no other candidate could better it.
 * - If all fail the error says why each did, and has the code of the last one.
 * - When the caller's time is over, no further candidate is tried.
 */
export function select(
  endpoints: EndpointRegistryHop,
  onSelection?: (id: string, selection: Selection) => void,
): ConnectionElement {
  const order = new TurnOrder();
  return {
    name: "select",
    async request(call, request, next) {
      const discovery = call.memory.get(CANDIDATES);
      if (!discovery) return await next(request);
      const { id } = connectionOf(request);
      const failed: { readonly endpoint: string; readonly reason: string }[] = [];
      let last: NetloomError | undefined;
      for (const { endpoint } of order.next(discovery.service, discovery.candidates)) {
        if (call.scope.ended) break;
        const copy = copyMessage(request);
        connectionOf(copy).networkServiceEndpointName = endpoint.name;
        onSelection?.(id, { taken: undefined, failed: [...failed], asking: endpoint.name });
        try {
          const asked = { endpoints, name: endpoint.name };
          const connection: Connection = await requestWhileRegistered(call, asked, (asking) =>
            next(copy, { ...asking, nextUrl: endpoint.url }),
          );
          onSelection?.(id, { taken: endpoint.name, failed });
          return connection;
        } catch (error) {
          if (!(error instanceof NetloomError)) throw error;
          if (error.side === "client") {
            onSelection?.(id, { taken: undefined, failed, problem: error.message });
            throw error;
          }
          last = error;
          failed.push({ endpoint: endpoint.name, reason: error.message });
        }
      }
      onSelection?.(id, { taken: undefined, failed });
      throw allFailed(discovery.service, discovery.candidates, failed, last);
    },
  };
}

function allFailed(
  service: string,
  candidates: readonly Candidate[],
  failed: readonly { readonly endpoint: string; readonly reason: string }[],
  last: NetloomError | undefined,
): NetloomError {
  const reasons = failed.slice(0, 8).map(({ endpoint, reason }) => `${endpoint}: ${reason}`);
  const untried = new Set(candidates.map(({ endpoint }) => endpoint.name)).size - failed.length;
  if (failed.length > 8) reasons.push(`${failed.length - 8} more`);
  if (untried > 0) reasons.push(`no time was left for ${untried} more`);
  return new NetloomError(
    last?.code ?? "DEADLINE_EXCEEDED",
    `connect to ${service}: all candidates have failed: ${reasons.join("; ")}`,
    last ? { cause: last, ...(last.hint && { hint: last.hint }) } : {},
  );
}
