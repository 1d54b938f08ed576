/**
 * Limits that no correct message exceeds. The door refuses a larger message before anything is stored or requested for
 * it. The limits also stop a request that goes in a circle: its path grows at every station.
 */
import type { Connection, Mechanism } from "../api/gen/nsm/connection_pb.js";
import type { NetworkServiceRequest } from "../api/gen/nsm/networkservice_pb.js";
import { MAX_EXCLUDED, MAX_LIST, MAX_PAIRS, MAX_PREFERENCES, MAX_SEGMENTS } from "../api/wire-limits.ts";
import { NetloomError } from "../errors/errors.ts";

const MAX_TOKEN = 16_384;

/** The limits that a document can exceed, in characters or numbers of entries. */
export const LIMITS = {
  /** Length of a name or a key. */
  name: 256,
  /** Number of labels. */
  pairs: MAX_PAIRS,
  /** Length of a label's value. */
  value: 4_096,
  /** Number of addresses, of routes, of prefixes, of neighbours and of policies; also of the routes of all policies together. */
  list: MAX_LIST,
} as const;

const { name: MAX_NAME, value: MAX_VALUE } = LIMITS;

type Pairs = Readonly<Record<string, string>>;

/** The descriptions of all problems; empty for a connection within the limits. */
export function connectionProblems(connection: Connection): string[] {
  const segments = connection.path?.pathSegments ?? [];
  if (segments.length > MAX_SEGMENTS) {
    return [
      `its path has ${segments.length} segments, and ${MAX_SEGMENTS} are allowed; do the next hops lead in a circle?`,
    ];
  }
  const problems = [
    ...(segments[0]?.id === "" ? ["the id of segment 0 is empty"] : []),
    ...tooLong("its id", connection.id, MAX_NAME),
    ...tooLong("the network service's name", connection.networkService, MAX_NAME),
    ...tooLong("the endpoint's name", connection.networkServiceEndpointName, MAX_NAME),
    ...tooLong("its payload", connection.payload, MAX_NAME),
    ...pairProblems("its labels", connection.labels),
    ...pairProblems("its extra context", connection.context?.extraContext ?? {}),
    ...(connection.mechanism ? mechanismProblems(connection.mechanism) : []),
    ...segments.flatMap((segment, i) => [
      ...tooLong(`the name of segment ${i}`, segment.name, MAX_NAME),
      ...tooLong(`the id of segment ${i}`, segment.id, MAX_NAME),
      ...tooLong(`the token of segment ${i}`, segment.token, MAX_TOKEN),
      ...pairProblems(`the metrics of segment ${i}`, segment.metrics),
    ]),
  ];
  return [...problems, ...contextProblems(connection)];
}

/** INVALID_ARGUMENT for a request that exceeds a limit. */
export function checkRequest(request: NetworkServiceRequest, connection: Connection): void {
  const preferences = request.mechanismPreferences;
  refuse(connection, [
    ...connectionProblems(connection),
    ...(preferences.length > MAX_PREFERENCES
      ? [`it prefers ${preferences.length} mechanisms, and ${MAX_PREFERENCES} are allowed`]
      : preferences.flatMap(mechanismProblems)),
  ]);
}

/** INVALID_ARGUMENT for a connection that exceeds a limit. */
export function checkConnection(connection: Connection): void {
  refuse(connection, connectionProblems(connection));
}

function refuse(connection: Connection, problems: readonly string[]): void {
  if (problems.length === 0) return;
  const more = problems.length > 3 ? `, and ${problems.length - 3} more` : "";
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `read connection ${connection.id.slice(0, 64)}: ${problems.slice(0, 3).join(", ")}${more}`,
  );
}

function mechanismProblems({ cls, type, parameters }: Mechanism): string[] {
  return [
    ...tooLong("a mechanism's class", cls, MAX_NAME),
    ...tooLong("a mechanism's type", type, MAX_NAME),
    ...pairProblems("a mechanism's parameters", parameters),
  ];
}

function contextProblems({ context }: Connection): string[] {
  const ip = context?.ipContext;
  const dns = context?.dnsContext?.configs;
  const lists: readonly (readonly [string, number | undefined, number?])[] = [
    ["source addresses", ip?.srcIpAddrs.length],
    ["destination addresses", ip?.dstIpAddrs.length],
    ["source routes", ip?.srcRoutes.length],
    ["destination routes", ip?.dstRoutes.length],
    ["excluded prefixes", ip?.excludedPrefixes.length, MAX_EXCLUDED],
    ["neighbours", ip?.ipNeighbors.length],
    ["policies", ip?.policies.length],
    ["routes in its policies", sum(ip?.policies, ({ routes }) => routes.length)],
    ["DNS configurations", dns?.length],
    ["DNS servers", sum(dns, ({ dnsServerIps }) => dnsServerIps.length)],
    ["DNS search domains", sum(dns, ({ searchDomains }) => searchDomains.length)],
  ];
  return lists.flatMap(([what, count = 0, limit = MAX_LIST]) =>
    count > limit ? [`it has ${count} ${what}, and ${limit} are allowed`] : [],
  );
}

function sum<T>(items: readonly T[] | undefined, count: (item: T) => number): number {
  return items?.reduce((total, item) => total + count(item), 0) ?? 0;
}

function pairProblems(what: string, pairs: Pairs): string[] {
  const entries = Object.entries(pairs);
  if (entries.length > MAX_PAIRS) return [`${what} are ${entries.length}, and ${MAX_PAIRS} are allowed`];
  const long = entries.find(([key, value]) => key.length > MAX_NAME || value.length > MAX_VALUE);
  return long ? [`${what} have a key of ${long[0].length} or a value of ${long[1].length} characters`] : [];
}

function tooLong(what: string, text: string, limit: number): string[] {
  return text.length > limit ? [`${what} has ${text.length} characters, and ${limit} are allowed`] : [];
}
