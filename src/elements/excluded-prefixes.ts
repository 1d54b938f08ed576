/** Prefixes that endpoints must not take addresses from. Upstream: sdk/pkg/networkservice/common/excludedprefixes */
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { memoryKey } from "../chain/call.ts";
import { contains, formatPrefix, isFullLength, network, parsePrefix, type IpPrefix } from "../net/ip.ts";
import { NetloomError } from "../world/errors.ts";
import { connectionOf, ipContextOf, type ConnectionElement } from "./connection.ts";

/** The manager's side: adds what `prefixes` says at the time of the request, each once. */
export function excludedPrefixes(prefixes: () => readonly string[]): ConnectionElement {
  return {
    name: "excluded-prefixes",
    async request(_call, request, next) {
      const excluded = prefixes();
      if (excluded.length > 0) exclude(connectionOf(request), excluded);
      return await next(request);
    },
  };
}

const OWN = memoryKey<readonly string[]>("excluded-prefixes: of this connection");

/**
 * The client's side, one for all connections of a workload: no endpoint may give what another one has given.
 *
 * Guarantees
 * - A request excludes the addresses of the other connections, their host routes, and what they exclude themselves.
 * - An answer with an address that is excluded as a host prefix (/32, /128) is FAILED_PRECONDITION.
 */
export function excludedByOthers(): ConnectionElement {
  const held = new Map<string, readonly string[]>();
  return {
    name: "excluded-prefixes",
    async request(call, request, next) {
      const connection = connectionOf(request);
      const others = [...held].flatMap(([id, prefixes]) => (id === connection.id ? [] : prefixes));
      const own = new Set(call.memory.get(OWN));
      const excluded = others.filter((prefix) => !own.has(prefix));
      exclude(connection, excluded);
      const answer = await next(request);
      const clash = clashOf(answer, excluded);
      if (clash !== undefined) {
        throw new NetloomError(
          "FAILED_PRECONDITION",
          `request connection ${connection.id}: IP ${clash} is excluded, but it was found in response IPs`,
          {
            topic: "NL-502",
            hint: "another connection of this workload has it; the endpoint has to leave it out",
          },
        );
      }
      const prefixes = prefixesOf(answer);
      call.memory.set(OWN, prefixes);
      held.set(connection.id, prefixes);
      return answer;
    },
    async close(call, connection, next) {
      call.memory.delete(OWN);
      held.delete(connection.id);
      await next(connection);
    },
  };
}

function exclude(connection: Connection, prefixes: readonly string[]): void {
  const ip = ipContextOf(connection);
  ip.excludedPrefixes = [...new Set([...ip.excludedPrefixes, ...prefixes])];
}

function prefixesOf({ context }: Connection): string[] {
  const ip = context?.ipContext;
  if (!ip) return [];
  const addresses = [...ip.srcIpAddrs, ...ip.dstIpAddrs].map(asHost);
  const routes = [...ip.srcRoutes, ...ip.dstRoutes].map(({ prefix }) => prefix).filter(isHost);
  return [...new Set([...addresses, ...routes])];
}

function asHost(text: string): string {
  const prefix = parsePrefix(text);
  return prefix ? formatPrefix({ ...prefix, length: prefix.address.bytes.length * 8 }) : text;
}

function isHost(text: string): boolean {
  const prefix = parsePrefix(text);
  return prefix !== undefined && isFullLength(prefix);
}

function clashOf({ context }: Connection, excluded: readonly string[]): string | undefined {
  const hosts: readonly IpPrefix[] = excluded.filter(isHost).flatMap((text) => parsePrefix(text) ?? []);
  const ip = context?.ipContext;
  return [...(ip?.srcIpAddrs ?? []), ...(ip?.dstIpAddrs ?? [])].find((text) => {
    const own = parsePrefix(text);
    return own && hosts.some((each) => contains(network(each), own.address));
  });
}
