/** Validates the IP addresses, routes and policies of a wire. */
import {
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  network,
  parseIp,
  parsePrefix,
} from "../../net/ip.ts";
import { whyUnusable } from "../../net/unusable.ts";
import { parseIpProtocol, parsePorts, parseSelectorPrefix } from "./plan-policies.ts";
import type { ContextRoute, PolicyRoute, Wire } from "../wire.ts";
import { deviceOf } from "../../mechanisms/list.ts";
import type { Side } from "../../mechanisms/side.ts";

/** One problem of a wire. */
export interface WireProblem {
  /** The part of the context that has the problem: `["srcRoutes", 2, "nextHop"]`; empty for the wire as a whole. */
  readonly part: readonly (string | number)[];
  /** A whole sentence for people. */
  readonly sentence: string;
}

interface End {
  readonly side: Side;
  readonly own: readonly IpPrefix[];
  readonly peers: readonly IpPrefix[];
  /** Canonical addresses whose MAC the context gives. */
  readonly neighbors: ReadonlySet<string>;
  /** More addresses may still be added. */
  readonly isOpen: boolean;
}

type Part = WireProblem["part"];

/**
 * All problems with the addresses, routes, neighbours and policies of a wire. With `isOpen` the wire may still get more
 * addresses, so that a missing address is no problem.
 */
export function validateIp(wire: Wire, { isOpen = false } = {}): WireProblem[] {
  const { context } = wire;
  const problems: WireProblem[] = [];
  const src = readAddresses("client", context.srcIpAddrs ?? [], problems);
  const dst = readAddresses("endpoint", context.dstIpAddrs ?? [], problems);
  problems.push(...twice([...src, ...dst]), ...familyProblems(src, dst));
  const neighbors = new Set<string>();
  for (const [i, { ip }] of (context.ipNeighbors ?? []).entries()) {
    const address = parseIp(ip);
    if (address) neighbors.add(formatIp(address));
    else problems.push(at(["ipNeighbors", i], `The neighbour ${JSON.stringify(ip)} is not an IP address.`));
  }
  const ends: readonly [End, Part, readonly ContextRoute[]][] = [
    [{ side: "client", own: src, peers: dst, neighbors, isOpen }, ["srcRoutes"], context.srcRoutes ?? []],
    [{ side: "endpoint", own: dst, peers: src, neighbors, isOpen }, ["dstRoutes"], context.dstRoutes ?? []],
  ];
  for (const [end, part, routes] of ends) {
    if (!deviceOf(wire[end.side])) continue;
    problems.push(...listProblems(end, routes, part));
    if (end.side === "client") {
      for (const [i, policy] of (context.policies ?? []).entries())
        problems.push(...policyProblems(end, policy, ["policies", i]));
    }
  }
  return problems;
}

function at(part: Part, sentence: string): WireProblem {
  return { part, sentence };
}

/** Whether an end of the wire on this host has an address of the family. */
export function hasFamily(wire: Wire, family: 4 | 6): boolean {
  const { srcIpAddrs = [], dstIpAddrs = [] } = wire.context;
  const here = [...(deviceOf(wire.client) ? srcIpAddrs : []), ...(deviceOf(wire.endpoint) ? dstIpAddrs : [])];
  return here.some((text) => parsePrefix(text)?.address.family === family);
}

function readAddresses(side: Side, texts: readonly string[], problems: WireProblem[]): IpPrefix[] {
  return texts.flatMap((text, i) => {
    const part = [side === "client" ? "srcIpAddrs" : "dstIpAddrs", i];
    const prefix = parsePrefix(text);
    if (!prefix) {
      const sentence = `The ${side}'s address ${JSON.stringify(text)} is not an address with prefix length.`;
      problems.push(at(part, sentence));
      return [];
    }
    const what = whyUnusable(prefix.address);
    if (what !== undefined) {
      const sentence = `The ${side}'s address ${text} is ${what}, which is not one that an interface can have.`;
      problems.push(at(part, sentence));
    }
    return [prefix];
  });
}

function twice(prefixes: readonly IpPrefix[]): WireProblem[] {
  const seen = new Set<string>();
  const again = new Set<string>();
  for (const address of prefixes.map((prefix) => formatIp(prefix.address))) {
    if (seen.has(address)) again.add(address);
    seen.add(address);
  }
  return [...again].map((address) => at([], `The address ${address} is given twice.`));
}

/** Both ends need the same address families, unless one end has no address at all. */
function familyProblems(src: readonly IpPrefix[], dst: readonly IpPrefix[]): WireProblem[] {
  if (src.length === 0 || dst.length === 0) return [];
  return ([4, 6] as const).flatMap((family) => {
    const [atSrc, atDst] = [src, dst].map((list) => list.some(({ address }) => address.family === family));
    if (atSrc === atDst) return [];
    return [
      at(
        [atSrc ? "dstIpAddrs" : "srcIpAddrs"],
        `Only the ${atSrc ? "client" : "endpoint"} has an IPv${family} address; the ${atSrc ? "endpoint" : "client"} needs one too.`,
      ),
    ];
  });
}

function listProblems(end: End, routes: readonly ContextRoute[], part: Part): WireProblem[] {
  return [
    ...routes.flatMap((route, i) => routeProblems(end, routes, route, [...part, i])),
    ...contradictions(end, routes, part),
  ];
}

function routeProblems(
  end: End,
  all: readonly ContextRoute[],
  route: ContextRoute,
  part: Part,
): WireProblem[] {
  const what = `The ${end.side}'s route to ${route.prefix}`;
  const prefix = parsePrefix(route.prefix);
  const wrongPrefix = (sentence: string) => [at([...part, "prefix"], sentence)];
  const wrongHop = (sentence: string) => [at([...part, "nextHop"], sentence)];
  if (!prefix)
    return wrongPrefix(`The ${end.side}'s route to ${JSON.stringify(route.prefix)} has no valid prefix.`);
  const { family } = prefix.address;
  if (!end.isOpen && !end.own.some((own) => own.address.family === family)) {
    return wrongPrefix(`${what} has no source: the ${end.side} has no IPv${family} address.`);
  }
  if (!route.nextHop) return [];
  const hop = parseIp(route.nextHop);
  if (!hop)
    return wrongHop(`${what} has the next hop ${JSON.stringify(route.nextHop)}, which is not an IP address.`);
  if (hop.family !== family) return wrongHop(`${what} has a next hop of the other family, ${route.nextHop}.`);
  const unusable = whyUnusable(hop);
  if (unusable !== undefined) return wrongHop(`${what} has the next hop ${route.nextHop}, ${unusable}.`);
  if (end.own.some((own) => formatIp(own.address) === formatIp(hop))) {
    return wrongHop(`${what} has the ${end.side}'s own address ${route.nextHop} as next hop.`);
  }
  if (!end.isOpen && !isOnLink(end, all, hop)) {
    return wrongHop(
      `${what} has the next hop ${route.nextHop}, which no network of the wire contains; give the route to it first.`,
    );
  }
  return [];
}

/**
 * Whether a next hop is on the link: in a network of either end, a neighbour with a known MAC, or, if no peer of its family
 * exists, in a route without next hop.
 */
function isOnLink(end: End, routes: readonly ContextRoute[], hop: IpAddress): boolean {
  if (end.neighbors.has(formatIp(hop))) return true;
  const hasPeer = end.peers.some((peer) => peer.address.family === hop.family);
  const links = hasPeer
    ? []
    : routes.flatMap((each) => (each.nextHop ? [] : (parsePrefix(each.prefix) ?? [])));
  return [...end.own, ...end.peers, ...links].some((prefix) => contains(prefix, hop));
}

function contradictions(end: End, routes: readonly ContextRoute[], part: Part): WireProblem[] {
  const nextHops = new Map<string, string>();
  const problems: WireProblem[] = [];
  for (const [i, route] of routes.entries()) {
    const prefix = parsePrefix(route.prefix);
    if (!prefix) continue;
    const key = formatPrefix(network(prefix));
    const hop = route.nextHop ?? "";
    const before = nextHops.get(key);
    if (before !== undefined && before !== hop) {
      const sentence = `The ${end.side} has two routes to ${key} with different next hops.`;
      problems.push(at([...part, i, "prefix"], sentence));
    }
    nextHops.set(key, hop);
  }
  return problems;
}

function policyProblems(end: End, policy: PolicyRoute, part: Part): WireProblem[] {
  const problems: WireProblem[] = [];
  const wrong = (key: string, sentence: string): void => void problems.push(at([...part, key], sentence));
  if (policy.from && !parsePrefix(parseSelectorPrefix(policy.from))) {
    wrong("from", `A policy is for ${JSON.stringify(policy.from)}, which is not an IP prefix.`);
  }
  if (policy.proto && parseIpProtocol(policy.proto) === undefined) {
    wrong("proto", `A policy is for the IP protocol ${JSON.stringify(policy.proto)}, which is not known.`);
  }
  for (const [key, what, ports] of [
    ["srcPort", "source", policy.srcPort],
    ["dstPort", "destination", policy.dstPort],
  ] as const) {
    if (ports && !parsePorts(ports)) {
      const rule = "a port is 1 to 65535, a range 8000-8999";
      wrong(key, `A policy has the ${what} ports ${JSON.stringify(ports)}; ${rule}.`);
    }
  }
  problems.push(...listProblems(end, policy.routes ?? [], [...part, "routes"]));
  if (!end.isOpen) problems.push(...policyFamilyProblems(end, policy, part));
  return problems;
}

function policyFamilyProblems(end: End, policy: PolicyRoute, part: Part): WireProblem[] {
  const from = policy.from ? parsePrefix(parseSelectorPrefix(policy.from)) : undefined;
  if (!from)
    return end.own.length > 0 ? [] : [at(part, "A policy needs an address at the client to send from.")];
  const { family } = from.address;
  if (!end.own.some((own) => own.address.family === family)) {
    return [
      at([...part, "from"], `A policy is for ${policy.from}, but the client has no IPv${family} address.`),
    ];
  }
  return (policy.routes ?? []).flatMap((route, i) => {
    const prefix = parsePrefix(route.prefix);
    if (!prefix || prefix.address.family === family) return [];
    const sentence = `A policy for ${policy.from} has a route of the other family, ${route.prefix}.`;
    return [at([...part, "routes", i, "prefix"], sentence)];
  });
}
