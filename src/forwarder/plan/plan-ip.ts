/** The addresses, routes, neighbours and policy routes of one workload's device, as the context asks for them. */
import { contains, formatIp, formatPrefix, mustParseIp, mustParsePrefix, network } from "../../net/ip.ts";
import { formatMac, parseMac } from "../../net/mac.ts";
import type { Address, Neighbor, Route, Rule, Sysctl } from "../../kernel/kernel.ts";
import { connected, contextRoute, type IpEnd, on, pointToPoint } from "./ip-end.ts";
import { workloadMac } from "./workload-mac.ts";
import { planPolicies } from "./plan-policies.ts";
import { endSettings, forwardingOn, withIpv6 } from "./plan-settings.ts";
import { type ContextRoute, type Wire } from "../wire.ts";
import type { Trust, WorkloadLink } from "../../mechanisms/half.ts";
import { isBorrowed } from "../../mechanisms/list.ts";
import { otherSide, type Side } from "../../mechanisms/side.ts";

export interface IpPlan {
  readonly sysctls: readonly Sysctl[];
  readonly addresses: readonly Address[];
  readonly routes: readonly Route[];
  readonly neighbors: readonly Neighbor[];
  readonly rules: readonly Rule[];
}

export function planIp(wire: Wire, side: Side, { link, trust, forwarding = false }: WorkloadLink): IpPlan {
  const { context } = wire;
  const [src, dst] = [context.srcIpAddrs ?? [], context.dstIpAddrs ?? []].map((list) =>
    list.map(mustParsePrefix),
  );
  const end: IpEnd = {
    link,
    own: (side === "client" ? src : dst) ?? [],
    peers: (side === "client" ? dst : src) ?? [],
  };
  const policies =
    side === "client" ? planPolicies(wire.connectionId, end, context.policies ?? []) : undefined;
  const routes = (side === "client" ? context.srcRoutes : context.dstRoutes) ?? [];
  return {
    sysctls: [...planSysctls(end, trust), ...(forwarding ? forwardingOn(link, hasIpv6(end)) : [])],
    addresses: planAddresses(end),
    routes: [...planRoutes(end, routes), ...(policies?.routes ?? [])],
    neighbors: planNeighbors(wire, side, end),
    rules: policies?.rules ?? [],
  };
}

function planSysctls(end: IpEnd, trust: Trust): Sysctl[] {
  return [endSettings(end.link, trust), ...(hasIpv6(end) ? [withIpv6(end.link)] : [])];
}

function hasIpv6({ own }: IpEnd): boolean {
  return own.some(({ address }) => address.family === 6);
}

function planAddresses(end: IpEnd): Address[] {
  const pairs = pointToPoint(end);
  return end.own.map((own): Address => {
    const peer = pairs.get(own);
    const address = formatPrefix(own);
    return { kind: "address", ...on(end), address, ...(peer ? { peer: formatPrefix(peer) } : {}) };
  });
}

/** On-link routes to peers that no network of this end contains, then the routes of the context. */
function planRoutes(end: IpEnd, context: readonly ContextRoute[]): Route[] {
  const onLink = connected(end);
  const hasRoute = new Set(onLink.map(formatPrefix));
  const routes: Route[] = [];
  const add = (route: Route): void => {
    if (hasRoute.has(route.destination)) return;
    hasRoute.add(route.destination);
    routes.push(route);
  };
  for (const peer of end.peers) {
    if (onLink.some((prefix) => contains(prefix, peer.address))) continue;
    add({ kind: "route", ...on(end), destination: formatPrefix(network(peer)) });
  }
  for (const wanted of context) for (const route of besideDefault(contextRoute(end, wanted))) add(route);
  return routes;
}

/**
 * Splits a default route into its two halves (/1). They are more specific than the workload's own default route, which is never
 * touched and takes over by itself when the halves are gone.
 */
function besideDefault(route: Route): Route[] {
  const { address, length } = mustParsePrefix(route.destination);
  if (length > 0) return [route];
  const upper = address.bytes.map((byte, i) => (i === 0 ? 0x80 : byte));
  return [address.bytes, upper].map((bytes) => ({
    ...route,
    destination: formatPrefix({ address: { ...address, bytes }, length: 1 }),
  }));
}

/**
 * Permanent neighbour entries for the peers, so that no end asks for the other's MAC; none for a far end that is a port. Entries
 * of the context override them.
 */
function planNeighbors(wire: Wire, side: Side, end: IpEnd): Neighbor[] {
  const own = new Set(end.own.map((each) => formatIp(each.address)));
  const macs = new Map<string, string>();
  const far = otherSide(side);
  const isLearned = isBorrowed(wire[far]) || wire.learned?.includes(far);
  for (const peer of isLearned ? [] : end.peers) macs.set(formatIp(peer.address), workloadMac(wire, far));
  for (const { ip, hardwareAddress } of wire.context.ipNeighbors ?? []) {
    const mac = parseMac(hardwareAddress);
    if (mac) macs.set(formatIp(mustParseIp(ip)), formatMac(mac));
  }
  return [...macs]
    .filter(([address]) => !own.has(address))
    .map(([address, mac]): Neighbor => ({ kind: "neighbor", ...on(end), address, mac }));
}
