/** One end of a wire as routing sees it: its on-link networks and its next hops. */
import {
  addressBits,
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  isFullLength,
  mustParseIp,
  mustParsePrefix,
  network,
} from "../../net/ip.ts";
import type { LinkEnd, Netns, Route } from "../../kernel/kernel.ts";
import type { ContextRoute } from "../wire.ts";

/** A workload's device and the known addresses at both of its ends. */
export interface IpEnd {
  readonly link: LinkEnd;
  readonly own: readonly IpPrefix[];
  readonly peers: readonly IpPrefix[];
}

/**
 * Pairs own addresses with peer addresses for the peer form, with which the kernel makes the route to the peer by itself: both of
 * full length, paired in order. IPv4 only: Linux forgets the route to an IPv6 peer if the device was down when the address was
 * added.
 */
export function pointToPoint(end: IpEnd): Map<IpPrefix, IpPrefix> {
  const isIpv4Host = (prefix: IpPrefix): boolean => prefix.address.family === 4 && isFullLength(prefix);
  const peers = end.peers.filter(isIpv4Host);
  const pairs = new Map<IpPrefix, IpPrefix>();
  for (const [i, own] of end.own.filter(isIpv4Host).entries()) {
    const peer = peers[i];
    if (peer) pairs.set(own, peer);
  }
  return pairs;
}

/** The route for a route of the context: via its next hop, else on the link, else via the first peer of its family. */
export function contextRoute(end: IpEnd, wanted: ContextRoute): Route {
  const prefix = network(mustParsePrefix(wanted.prefix));
  const via = wanted.nextHop ? mustParseIp(wanted.nextHop) : defaultNextHop(end, prefix);
  const destination = formatPrefix(prefix);
  return { kind: "route", ...on(end), destination, ...(via ? { via: formatIp(via), onlink: true } : {}) };
}

function defaultNextHop(end: IpEnd, prefix: IpPrefix): IpAddress | undefined {
  const onLink = [...connected(end), ...end.peers.map(network)];
  if (onLink.some((each) => each.length <= prefix.length && contains(each, prefix.address))) return undefined;
  return end.peers.find((peer) => peer.address.family === prefix.address.family)?.address;
}

/** The networks to which the kernel makes routes by itself because of this end's addresses. */
export function connected(end: IpEnd): IpPrefix[] {
  const pairs = pointToPoint(end);
  return end.own.flatMap((own) => {
    const peer = pairs.get(own);
    if (peer) return [peer];
    return isFullLength(own) && own.address.family === 4 ? [] : [network(own)];
  });
}

/** The prefix that contains every address of a family. */
export function everything(family: 4 | 6): IpPrefix {
  return { address: { family, bytes: new Uint8Array(addressBits(family) / 8) }, length: 0 };
}

/** The namespace and link of this end, for its objects. */
export function on(end: IpEnd): { readonly netns: Netns; readonly link: string } {
  return { netns: end.link.netns, link: end.link.name };
}
