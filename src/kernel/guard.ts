/** What one side of a wire may send, as it is wanted: whose frames and packets its own are. */
import { contains, formatPrefix, mustParseIp, mustParsePrefix, network, parsePrefix } from "../net/ip.ts";

/** Who configures whoever hears it: DHCP servers of both families; routers, by advertisements and redirects (RFC 792, 1256, 4861). */
export const SERVERS = ["dhcp", "routers"] as const;
export type Server = (typeof SERVERS)[number];

/**
 * What does not fit is dropped and counted by its reason (`DROP_REASONS`). Beside what is said here no packet may say by which way it
 * goes (source routes of both families). Link-local addresses of IPv6 are of the link, which has two ends: both may have any.
 */
export interface Guard {
  /** Source of all frames, and of what ARP says. Absent: any. */
  readonly mac?: string;
  /**
   * Prefixes that its packets come from, and whose addresses it claims by ARP and ND; in the form of `sourcesOf`. What a router
   * says of a packet to one of them (ICMP errors) may come from anywhere. Absent: all.
   */
  readonly sources?: readonly string[];
  /** What it may be for the other side. Absent: nothing. */
  readonly serves?: readonly Server[];
}

/** Prefixes as a guard has them: each once, as networks, in one order. */
export function sourcesOf(prefixes: Iterable<string>): string[] {
  const all = [...prefixes]
    .flatMap((text) => parsePrefix(text) ?? [])
    .map((each) => formatPrefix(network(each)));
  return [...new Set(all)].sort();
}

/** Whether one of `sources` has this address. */
export function isFrom(sources: readonly string[], address: string): boolean {
  const ip = mustParseIp(address);
  return sources.some((prefix) => contains(mustParsePrefix(prefix), ip));
}

/** `from 10.0.0.1/32, 10.9.0.0/16, by 02:00:00:00:00:01`: what a side may send. */
export function describeGuard({ mac, sources, serves = [] }: Guard): string {
  const parts = [
    ...(sources ? [`from ${sources.length === 0 ? "no address" : sources.join(", ")}`] : []),
    ...(mac === undefined ? [] : [`by ${mac}`]),
    ...SERVERS.flatMap((server) => (serves.includes(server) ? [] : [`not as ${SERVER[server]}`])),
  ];
  return parts.join(", ");
}

const SERVER: Readonly<Record<Server, string>> = { dhcp: "a DHCP server", routers: "a router" };
