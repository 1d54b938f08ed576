/**
 * Selects the forwarder of this host that makes the wire. Upstream:
 * sdk/pkg/networkservice/common/discoverforwarder/server.go
 */

import { copyMessage } from "../../api/copy-message.ts";
import { State } from "../../api/gen/nsm/connection_pb.js";
import type { Match, NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { memoryKey, type Call } from "../../chain/call.ts";
import { missingLabel, type Labels } from "../../registry/matching/match.ts";
import { allFailed, NetloomError } from "../../errors/errors.ts";
import { reason } from "../../errors/reasons.ts";
import { FORWARDERS } from "./forwarders.ts";
import { connectionOf, nextSegment, type ConnectionElement } from "../connection.ts";
import type { Registries } from "./discover.ts";
import { findEndpoints, findService } from "./find.ts";

interface Remembered {
  readonly name: string;
  readonly url: string;
}

const FORWARDER = memoryKey<Remembered>("discover-forwarder: forwarder");

/** Labels that a forwarder needs unless the service's match says otherwise: it makes point-to-point wires. */
const DEFAULT_LABELS: Readonly<Labels> = { p2p: "true" };

export interface ForwarderDiscoveryOptions {
  readonly registries: Registries;
  /** The manager's own URL, which forwarders registered through it have. */
  readonly url: string;
  /** The network service of forwarders. Default: `forwarder`. */
  readonly service?: string | undefined;
  /** Forwarders of this process. The registry is queried only if none of them fits the match. */
  readonly own?: readonly NetworkServiceEndpoint[] | undefined;
}

/**
 * Guarantees
 * - A connection keeps its forwarder until a reselect. After a restart of the manager the path's next segment names
 *   that forwarder.
 * - A connection without a forwarder tries them in order until one answers. If none does, the error lists all failures
 *   and has the code, reason and hint of the most specific one.
 * - The first match for the client decides, unless it falls through. A forwarder of this process that has the required
 *   labels is taken; otherwise the registered forwarders that have them.
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
      const failed: { readonly name: string; readonly error: NetloomError }[] = [];
      for (const { name, url } of forwarders) {
        if (call.scope.ended) break;
        try {
          const copy = copyMessage(request);
          const answer = await next(copy, { ...call, nextUrl: url });
          call.memory.set(FORWARDER, { name, url });
          return answer;
        } catch (error) {
          if (!(error instanceof NetloomError)) throw error;
          // The request itself is wrong: another forwarder would refuse it too.
          if (forwarders.length === 1 || error.code === "INVALID_ARGUMENT") throw error;
          failed.push({ name, error });
        }
      }
      const reasons = failed.map(({ name, error }) => `${name}: ${error.message}`).join("; ");
      throw allFailed(
        `connect to ${connection.networkService}: all forwarders have failed: ${reasons}`,
        failed.map(({ error }) => error),
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
  { registries, url, service: forwarderService = FORWARDERS, own = [] }: ForwarderDiscoveryOptions,
  requested: {
    readonly service: string;
    readonly payload: string;
    readonly labels: Labels;
    readonly name: string | undefined;
  },
): Promise<NetworkServiceEndpoint[]> {
  const { labels, name } = requested;
  const service = await findService(call, registries.services, {
    name: requested.service,
    payload: requested.payload,
  });
  const mine = own.filter((each) => name === undefined || each.name === name);
  let registered: readonly NetworkServiceEndpoint[] | undefined;
  const isForClient = ({ sourceSelector }: Match): boolean =>
    missingLabel(labels, sourceSelector, labels) === undefined;
  // A service without matches requires no labels of its forwarders.
  const matches = service.matches.length > 0 ? service.matches.filter(isForClient) : [undefined];
  for (const match of matches) {
    const fits = fitsTo(match, labels, forwarderService);
    const found = mine.filter(fits);
    if (found.length > 0) return found;
    registered ??= await findEndpoints(call, registries.endpoints, {
      networkServiceNames: [forwarderService],
      name: name ?? "",
      url,
    });
    found.push(...registered.filter(fits));
    if (found.length > 0) return found;
    if (!match?.fallthrough) break;
  }
  if (matches.length === 0) {
    throw new NetloomError(
      "NOT_FOUND",
      `find an endpoint of ${requested.service}: none of the service's matches is for the client's labels`,
      {
        topic: "NL-303",
        reason: reason("NO_CANDIDATE", { service: requested.service }),
        hint: "`netloom why` shows which labels each match requires",
      },
    );
  }
  const count = mine.length + (registered?.length ?? 0);
  throw new NetloomError(
    "UNAVAILABLE",
    name === undefined
      ? `find a forwarder for ${requested.service}: no candidates found among ${count} forwarders of ${url}`
      : `find a forwarder for ${requested.service}: forwarder ${name} is not available`,
    {
      topic: "NL-304",
      reason: reason("FORWARDER_UNAVAILABLE", { service: requested.service, forwarder: name ?? "" }),
      hint: "is the forwarder of this host running, and does it have the labels that the service requires?",
    },
  );
}

/** Returns whether a forwarder has the labels that a service's match requires in its metadata. */
function fitsTo(match: Match | undefined, labels: Labels, forwarderService: string) {
  const given = match?.metadata?.labels ?? {};
  // A protobuf map has no null: an empty one stands for upstream's nil.
  const wanted = match && Object.keys(given).length === 0 ? DEFAULT_LABELS : given;
  return ({ networkServiceLabels }: NetworkServiceEndpoint): boolean =>
    missingLabel(networkServiceLabels[forwarderService]?.labels ?? {}, wanted, labels) === undefined;
}
