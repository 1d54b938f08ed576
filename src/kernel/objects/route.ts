import { familyOf } from "../../net/ip.ts";
import { ipv4Of, type Netns } from "../link.ts";
import { type AttachedKind, type SoleClaim, inPhase } from "../object-kind.ts";
import { given, inside } from "../phrase.ts";
import { familyOption, option, toolVerb } from "../script-tools.ts";

/** Equivalent to: `ip route add D [via V] dev L [table T] [metric M] [src S] [onlink]` */
export interface Route {
  readonly kind: "route";
  readonly netns: Netns;
  /** Canonical prefix; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string;
  readonly link: string;
  /** Next hop. Without one the destination is on the link (scope link). */
  readonly via?: string;
  /** The next hop is reachable through `link` even without a route to it. */
  readonly onlink?: boolean;
  /** Default: main (254). */
  readonly table?: number;
  /** Default: 0 for IPv4, 1024 for IPv6, as in the kernel. */
  readonly metric?: number;
  /** Preferred source address. */
  readonly source?: string;
}

/** The kernel's numbers of the main table and of the table of local addresses: `include/uapi/linux/rtnetlink.h`. */
export const MAIN_TABLE = 254;
export const LOCAL_TABLE = 255;

export const route = {
  phase: inPhase("routes"),
  namespaces: ({ netns }) => [netns],
  carrier: (object) => object,
  identity,
  normal: (object) => ({ ...object, ...defaultsOf(object), onlink: object.onlink ?? false }),
  claims: (object) => [{ key: identity(object), words: wordsOf(object.netns, object.destination) }],
  attracts: (object) => [{ table: defaultsOf(object).table, destination: object.destination }],
  lostWith: (object) => (familyOf(object.destination) === 4 ? [ipv4Of(object)] : []),
  ownedKeys: ({ netns, table }) => (table === undefined ? [] : [tableKey(netns, table)]),
  describe: ({ destination, via, link, table, netns }) =>
    `route ${destination}${given("via", via)} dev ${link}${given("table", table)}${inside(netns)}`,
  script: (tools, { verb, object }) => [
    tools.ip(
      object.netns,
      ...familyOption(familyOf(object.destination)),
      "route",
      toolVerb(verb),
      object.destination,
      ...option("via", object.via),
      "dev",
      object.link,
      ...option("table", object.table),
      ...option("metric", object.metric),
      ...option("src", object.source),
      ...(object.onlink ? ["onlink"] : []),
      "proto",
      tools.protocol,
    ),
  ],
} as const satisfies AttachedKind<Route>;

/** The kernel's metric for a route without one: IP6_RT_PRIO_USER for IPv6. */
export function defaultMetric(family: 4 | 6): number {
  return family === 4 ? 0 : 1024;
}

/** The claim to a destination in the main table, on any device. */
export function mainRouteClaim(netns: Netns, destination: string): SoleClaim {
  return {
    key: routeKey(netns, { table: MAIN_TABLE, destination, metric: 0 }),
    words: wordsOf(netns, destination),
  };
}

/** The key of a routing table that belongs to one owner. */
export function tableKey(netns: Netns, table: number): string {
  return `${netns} table ${table}`;
}

function identity(object: Route): string {
  return routeKey(object.netns, { ...defaultsOf(object), destination: object.destination });
}

function routeKey(
  netns: Netns,
  { table, destination, metric }: Required<Pick<Route, "table" | "destination" | "metric">>,
): string {
  return `route ${netns} ${table} ${destination} ${metric}`;
}

function defaultsOf({ table, metric, destination }: Route): Required<Pick<Route, "table" | "metric">> {
  return { table: table ?? MAIN_TABLE, metric: metric ?? defaultMetric(familyOf(destination)) };
}

function wordsOf(netns: Netns, destination: string): string {
  return `the route to ${destination} in ${netns}`;
}
