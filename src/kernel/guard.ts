/** The traffic that one side of a wire is allowed to send. */
import { contains, formatPrefix, mustParseIp, mustParsePrefix, network, parsePrefix } from "../net/ip.ts";

/**
 * Roles in which a side configures others: DHCP server (IPv4 and IPv6), and router, by advertisements and redirects (RFC
 * 792, 1256, 4861).
 */
export const SERVERS = ["dhcp", "routers"] as const;
export type Server = (typeof SERVERS)[number];

/**
 * A filter for one side of a wire. Other traffic is dropped and counted by its reason (`DROP_REASONS`). Source-routed
 * packets of both families are always dropped. IPv6 link-local addresses belong to the link, so both sides may use any.
 */
export interface Guard {
  /** Source MAC of all frames, also in ARP. Absent: any. */
  readonly mac?: string;
  /**
   * Prefixes of the allowed source addresses, and of the addresses that the side may claim by ARP and ND; in the form of
   * `sourcesOf`. ICMP errors about packets to one of these prefixes may come from any address. Absent: all.
   */
  readonly sources?: readonly string[];
  /** The server roles that the side may have for the other side. Absent: none. */
  readonly serves?: readonly Server[];
}

/** Normalises prefixes for a guard: as networks, without duplicates, sorted. */
export function sourcesOf(prefixes: Iterable<string>): string[] {
  const all = [...prefixes]
    .flatMap((text) => parsePrefix(text) ?? [])
    .map((each) => formatPrefix(network(each)));
  return [...new Set(all)].sort();
}

/** Is the address in one of `sources`? */
export function isFrom(sources: readonly string[], address: string): boolean {
  const ip = mustParseIp(address);
  return sources.some((prefix) => contains(mustParsePrefix(prefix), ip));
}

/** Describes the allowed traffic: `from 10.0.0.1/32, 10.9.0.0/16, by 02:00:00:00:00:01`. */
export function describeGuard({ mac, sources, serves = [] }: Guard): string {
  const parts = [
    ...(sources ? [`from ${sources.length === 0 ? "no address" : sources.join(", ")}`] : []),
    ...(mac === undefined ? [] : [`by ${mac}`]),
    ...SERVERS.flatMap((server) => (serves.includes(server) ? [] : [`not as ${SERVER[server]}`])),
  ];
  return parts.join(", ");
}

const SERVER: Readonly<Record<Server, string>> = { dhcp: "a DHCP server", routers: "a router" };
