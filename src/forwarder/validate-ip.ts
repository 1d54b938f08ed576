/** The part of the validation that is about IP addresses, routes and policies. */
import {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  network,
  parseIp,
  parsePrefix,
} from "../net/ip.ts";
import { parseIpProtocol, parsePorts, parseSelectorPrefix } from "./plan-policies.ts";
import type { ContextRoute, PolicyRoute, Side, Wire } from "./wire.ts";

interface End {
  readonly side: Side;
  readonly own: readonly IpPrefix[];
  readonly peers: readonly IpPrefix[];
  /** Canonical addresses whose MAC the context tells. */
  readonly neighbors: ReadonlySet<string>;
}

/** All that is wrong with the addresses, routes, neighbours and policies of a wire. */
export function validateIp(wire: Wire): string[] {
  const { context } = wire;
  const problems: string[] = [];
  const src = readAddresses("client", context.srcIpAddrs ?? [], problems);
  const dst = readAddresses("endpoint", context.dstIpAddrs ?? [], problems);
  problems.push(...twice([...src, ...dst]), ...familyProblems(src, dst));
  const neighbors = new Set<string>();
  for (const { ip } of context.ipNeighbors ?? []) {
    const address = parseIp(ip);
    if (address) neighbors.add(formatIp(address));
    else problems.push(`The neighbour ${JSON.stringify(ip)} is no IP address.`);
  }
  const ends: readonly [End, readonly ContextRoute[]][] = [
    [{ side: "client", own: src, peers: dst, neighbors }, context.srcRoutes ?? []],
    [{ side: "endpoint", own: dst, peers: src, neighbors }, context.dstRoutes ?? []],
  ];
  for (const [end, routes] of ends) {
    if (wire[end.side].type !== "KERNEL") continue;
    for (const route of routes) problems.push(...routeProblems(end, routes, route));
    problems.push(...contradictions(end, routes));
    if (end.side === "client") {
      for (const policy of context.policies ?? []) problems.push(...policyProblems(end, policy));
    }
  }
  return problems;
}

/** Whether an end of the wire on this host has an address of the family. */
export function hasFamily(wire: Wire, family: 4 | 6): boolean {
  const { srcIpAddrs = [], dstIpAddrs = [] } = wire.context;
  const here = [
    ...(wire.client.type === "KERNEL" ? srcIpAddrs : []),
    ...(wire.endpoint.type === "KERNEL" ? dstIpAddrs : []),
  ];
  return here.some((text) => parsePrefix(text)?.address.family === family);
}

function readAddresses(side: Side, texts: readonly string[], problems: string[]): IpPrefix[] {
  return texts.flatMap((text) => {
    const prefix = parsePrefix(text);
    if (!prefix) {
      problems.push(`The ${side}'s address ${JSON.stringify(text)} is no address with prefix length.`);
      return [];
    }
    if (!isHostAddress(prefix.address)) {
      problems.push(`The ${side}'s address ${text} is not one that an interface can have.`);
    }
    return [prefix];
  });
}

/** Not unspecified, loopback, multicast or broadcast. */
function isHostAddress({ family, bytes }: IpAddress): boolean {
  const first = bytes[0] ?? 0;
  if (family === 4) return first !== 0 && first !== 127 && first < 224;
  return first !== 0xff && bytes.some((byte, i) => byte > (i === 15 ? 1 : 0));
}

function twice(prefixes: readonly IpPrefix[]): string[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const address of prefixes.map((prefix) => formatIp(prefix.address))) {
    if (seen.has(address)) again.add(address);
    seen.add(address);
  }
  return [...again].map((address) => `The address ${address} is given twice.`);
}

/** An end without any address leaves the other free. */
function familyProblems(src: readonly IpPrefix[], dst: readonly IpPrefix[]): string[] {
  if (src.length === 0 || dst.length === 0) return [];
  return ([4, 6] as const).flatMap((family) => {
    const [atSrc, atDst] = [src, dst].map((list) => list.some(({ address }) => address.family === family));
    if (atSrc === atDst) return [];
    return [
      `Only the ${atSrc ? "client" : "endpoint"} has an IPv${family} address; the ${atSrc ? "endpoint" : "client"} needs one too.`,
    ];
  });
}

function routeProblems(end: End, all: readonly ContextRoute[], route: ContextRoute): string[] {
  const what = `The ${end.side}'s route to ${route.prefix}`;
  const prefix = parsePrefix(route.prefix);
  if (!prefix) return [`The ${end.side}'s route to ${JSON.stringify(route.prefix)} has no valid prefix.`];
  const { family } = prefix.address;
  if (!end.own.some((own) => own.address.family === family)) {
    return [`${what} has no source: the ${end.side} has no IPv${family} address.`];
  }
  if (!route.nextHop) return [];
  const hop = parseIp(route.nextHop);
  if (!hop) return [`${what} has the next hop ${JSON.stringify(route.nextHop)}, which is no IP address.`];
  if (hop.family !== family) return [`${what} has a next hop of the other family, ${route.nextHop}.`];
  if (end.own.some((own) => formatIp(own.address) === formatIp(hop))) {
    return [`${what} has the ${end.side}'s own address ${route.nextHop} as next hop.`];
  }
  if (!isOnLink(end, all, hop)) {
    return [
      `${what} has the next hop ${route.nextHop}, which no network of the wire contains; give the route to it first.`,
    ];
  }
  return [];
}

/** In a network of either end, known by its MAC, or, where no peer could be the next hop, in a route without one. */
function isOnLink(end: End, routes: readonly ContextRoute[], hop: IpAddress): boolean {
  if (end.neighbors.has(formatIp(hop))) return true;
  const hasPeer = end.peers.some((peer) => peer.address.family === hop.family);
  const links = hasPeer
    ? []
    : routes.flatMap((each) => (each.nextHop ? [] : (parsePrefix(each.prefix) ?? [])));
  return [...end.own, ...end.peers, ...links].some((prefix) => contains(prefix, hop));
}

function contradictions(end: End, routes: readonly ContextRoute[]): string[] {
  const nextHops = new Map<string, string>();
  const problems: string[] = [];
  for (const route of routes) {
    const prefix = parsePrefix(route.prefix);
    if (!prefix) continue;
    const key = formatPrefix(network(prefix));
    const hop = route.nextHop ?? "";
    const before = nextHops.get(key);
    if (before !== undefined && before !== hop) {
      problems.push(`The ${end.side} has two routes to ${key} with different next hops.`);
    }
    nextHops.set(key, hop);
  }
  return problems;
}

function policyProblems(end: End, policy: PolicyRoute): string[] {
  const problems: string[] = [];
  if (policy.from && !parsePrefix(parseSelectorPrefix(policy.from))) {
    problems.push(`A policy is for ${JSON.stringify(policy.from)}, which is no IP prefix.`);
  }
  if (policy.proto && parseIpProtocol(policy.proto) === undefined) {
    problems.push(`A policy is for the IP protocol ${JSON.stringify(policy.proto)}, which is not known.`);
  }
  for (const [what, ports] of [
    ["source", policy.srcPort],
    ["destination", policy.dstPort],
  ] as const) {
    if (ports && !parsePorts(ports)) {
      problems.push(
        `A policy has the ${what} ports ${JSON.stringify(ports)}; a port is 1 to 65535, a range 8000-8999.`,
      );
    }
  }
  const routes = policy.routes ?? [];
  for (const route of routes) problems.push(...routeProblems(end, routes, route));
  problems.push(...contradictions(end, routes), ...policyFamilyProblems(end, policy));
  return problems;
}

function policyFamilyProblems(end: End, policy: PolicyRoute): string[] {
  const from = policy.from ? parsePrefix(parseSelectorPrefix(policy.from)) : undefined;
  if (!from) return end.own.length > 0 ? [] : ["A policy needs an address at the client to send from."];
  const { family } = from.address;
  if (!end.own.some((own) => own.address.family === family)) {
    return [`A policy is for ${policy.from}, but the client has no IPv${family} address.`];
  }
  const others = (policy.routes ?? []).filter((route) => {
    const prefix = parsePrefix(route.prefix);
    return prefix && prefix.address.family !== family;
  });
  return others.map(
    (route) => `A policy for ${policy.from} has a route of the other family, ${route.prefix}.`,
  );
}
