/** Which forwarder of this host makes the wire. Upstream: sdk/pkg/networkservice/common/discoverforwarder/server.go */

import { copyMessage } from "../api/copy-message.ts";
import { State } from "../api/gen/nsm/connection_pb.js";
import type { NetworkService, NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import { memoryKey, type Call } from "../chain/call.ts";
import { missingLabel, type Labels } from "../registry/match.ts";
import { NetloomError } from "../world/errors.ts";
import { connectionOf, nextSegment, type ConnectionElement } from "./connection.ts";
import type { Registries } from "./discover.ts";
import { findEndpoints, findService } from "./find.ts";

interface Remembered {
  readonly name: string;
  readonly url: string;
}

const FORWARDER = memoryKey<Remembered>("discover-forwarder: forwarder");

/** What a forwarder has to be unless the service's match says otherwise: able to make a wire from point to point. */
const DEFAULT_LABELS: Readonly<Labels> = { p2p: "true" };

export interface ForwarderDiscoveryOptions {
  readonly registries: Registries;
  /** The manager's own URL: forwarders that are registered through it have it. */
  readonly url: string;
  /** The network service of forwarders. Default: `forwarder`. */
  readonly service?: string | undefined;
  /** Forwarders of this process. Where there are some, registered ones are not looked for. */
  readonly own?: readonly NetworkServiceEndpoint[] | undefined;
}

/**
 * Guarantees
 * - A connection stays with the forwarder that it has, until a reselect. After a restart of the manager the path's next
 *   segment says which one that was.
 * - Without one they are tried in their order until one answers; if none does the error says why.
 */
export function discoverForwarder(options: ForwarderDiscoveryOptions): ConnectionElement {
  return {
    name: "discover-forwarder",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const isReselect = connection.state === State.RESELECT_REQUESTED;
      const remembered = isReselect ? undefined : call.memory.get(FORWARDER);
      const forwarders = await findForwarders(call, options, {
        service: connection.networkService,
        payload: connection.payload,
        labels: connection.labels,
        name: remembered?.name,
      });
      const preferred = isReselect ? undefined : nextSegment(connection)?.name;
      forwarders.sort((a, b) => Number(b.name === preferred) - Number(a.name === preferred));
      const failed: string[] = [];
      let last: NetloomError | undefined;
      for (const { name, url } of forwarders) {
        if (call.scope.ended) break;
        try {
          const copy = copyMessage(request);
          const answer = await next(copy, { ...call, nextUrl: url });
          call.memory.set(FORWARDER, { name, url });
          return answer;
        } catch (error) {
          if (!(error instanceof NetloomError)) throw error;
          // What has nothing to do with the forwarder another one cannot do either.
          if (forwarders.length === 1 || error.code === "INVALID_ARGUMENT") throw error;
          last = error;
          failed.push(`${name}: ${error.message}`);
        }
      }
      throw new NetloomError(
        last?.code ?? "DEADLINE_EXCEEDED",
        `connect to ${connection.networkService}: all forwarders have failed: ${failed.join("; ")}`,
        last ? { cause: last, ...(last.hint && { hint: last.hint }) } : {},
      );
    },
    async close(call, connection, next) {
      const url = call.memory.delete(FORWARDER)?.url;
      await next(connection, url === undefined ? call : { ...call, nextUrl: url });
    },
  };
}

async function findForwarders(
  call: Call,
  { registries, url, service: forwarderService = "forwarder", own = [] }: ForwarderDiscoveryOptions,
  wish: {
    readonly service: string;
    readonly payload: string;
    readonly labels: Labels;
    readonly name: string | undefined;
  },
): Promise<NetworkServiceEndpoint[]> {
  const service = await findService(call, registries.services, { name: wish.service, payload: wish.payload });
  const mine = own.filter((each) => wish.name === undefined || each.name === wish.name);
  // One of this process needs no registry to be found.
  const found =
    mine.length > 0
      ? mine
      : await findEndpoints(call, registries.endpoints, {
          networkServiceNames: [forwarderService],
          name: wish.name ?? "",
          url,
        });
  const matching = matchForwarders(wish.labels, service, found, forwarderService);
  if (matching.length > 0) return matching;
  const isForClient = service.matches.some(
    ({ sourceSelector }) => missingLabel(wish.labels, sourceSelector, wish.labels) === undefined,
  );
  if (service.matches.length > 0 && !isForClient) {
    throw new NetloomError(
      "NOT_FOUND",
      `find an endpoint of ${wish.service}: none of the service's matches is for the client's labels`,
      { topic: "NL-303", hint: "`netloom why` tells which labels each match wants" },
    );
  }
  throw new NetloomError(
    "UNAVAILABLE",
    wish.name === undefined
      ? `find a forwarder for ${wish.service}: no candidates found among ${found.length} forwarders of ${url}`
      : `find a forwarder for ${wish.service}: forwarder ${wish.name} is not available`,
    {
      topic: "NL-304",
      hint: "is the forwarder of this host running, and does it have the labels that the service wants?",
    },
  );
}

/** The forwarders with the labels that the first match for the client wants in its metadata. */
function matchForwarders(
  labels: Labels,
  service: NetworkService,
  forwarders: readonly NetworkServiceEndpoint[],
  forwarderService: string,
): NetworkServiceEndpoint[] {
  if (service.matches.length === 0) return [...forwarders];
  for (const match of service.matches) {
    if (missingLabel(labels, match.sourceSelector, labels) !== undefined) continue;
    const given = match.metadata?.labels ?? {};
    // A protobuf map has no null: one without entries is upstream's nil.
    const wanted = Object.keys(given).length > 0 ? given : DEFAULT_LABELS;
    const found = forwarders.filter((each) => {
      const own = each.networkServiceLabels[forwarderService]?.labels ?? {};
      return missingLabel(own, wanted, labels) === undefined;
    });
    if (found.length > 0 || !match.fallthrough) return found;
  }
  return [];
}
