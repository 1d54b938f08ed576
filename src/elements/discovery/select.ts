/** Tries the candidates one after the other. Upstream: sdk/pkg/networkservice/common/roundrobin/server.go */
import { copyMessage } from "../../api/copy-message.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { EndpointRegistryHop } from "../../api/hops.ts";
import { allFailed, NetloomError } from "../../errors/errors.ts";
import { connectionOf, type ConnectionElement } from "../connection.ts";
import { CANDIDATES, type Discovery } from "./discover.ts";
import { TurnOrder } from "./turn-order.ts";
import { requestWhileRegistered } from "./while-registered.ts";

/** A candidate that failed. */
interface Failed {
  readonly endpoint: string;
  readonly error: NetloomError;
}

/** The outcome of each candidate of one request, for `netloom why`. */
export interface Selection {
  readonly taken: string | undefined;
  /** An error at the client's own end. Another endpoint would not fix it. */
  readonly problem?: NetloomError;
  /** The endpoint that has the request now. */
  readonly asking?: string;
  readonly failed: readonly Failed[];
}

/**
 * Guarantees
 * - The candidates of `discover` are tried in turn until one answers. Each gets the original request. An answered
 *   connection names its endpoint. If the registry drops a candidate during the request, the next candidate is tried.
 * - An error at the client's own end is returned unchanged: another candidate would not fix it.
 * - If all fail, the error lists all failures, and has the code, reason and hint of the most specific one.
 * - After the caller's deadline no further candidate is tried.
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
      const failed: Failed[] = [];
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
            onSelection?.(id, { taken: undefined, failed, problem: error });
            throw error;
          }
          failed.push({ endpoint: endpoint.name, error });
        }
      }
      onSelection?.(id, { taken: undefined, failed });
      throw noneLeft(discovery, failed);
    },
  };
}

function noneLeft({ service, candidates }: Discovery, failed: readonly Failed[]): NetloomError {
  const reasons = failed.slice(0, 8).map(({ endpoint, error }) => `${endpoint}: ${error.message}`);
  const untried = new Set(candidates.map(({ endpoint }) => endpoint.name)).size - failed.length;
  if (failed.length > 8) reasons.push(`${failed.length - 8} more`);
  if (untried > 0) reasons.push(`no time was left for ${untried} more`);
  return allFailed(
    `connect to ${service}: all candidates have failed: ${reasons.join("; ")}`,
    failed.map(({ error }) => error),
  );
}
