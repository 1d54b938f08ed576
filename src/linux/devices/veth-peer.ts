/** Finds the other end of a veth pair. */
import type { LinkEnd, Netns, OwnerMark } from "../../kernel/kernel.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { getLink } from "../netlink/link.ts";
import { decodeNsid, getNsid } from "../netlink/nsid.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { linkEnd, type ObserveContext, type NetnsView } from "../batch/view.ts";

/** Names a namespace that is neither asked about nor known by a path. */
const UNKNOWN_NETNS: Netns = "inode://0/0";

export function isOurPair(mark: OwnerMark, { group, kind }: Link): boolean {
  return group === mark.group && kind === "veth";
}

/**
 * The far end of `link`: in a namespace of the queries if it is there, else in whatever namespace it is, which is named
 * by its identity if it was found before and `inode://0/0` if not. `undefined` if the pair is about to vanish.
 */
export function farEnd(
  context: ObserveContext,
  views: readonly NetnsView[],
  near: NetnsView,
  link: Link,
): LinkEnd | undefined {
  const index = link.lowerIndex ?? 0;
  // Our indexes are unique over all namespaces, and the two ends name each other.
  for (const view of views) {
    const far = view.byIndex.get(index);
    const isSame =
      far?.lowerIndex === link.index && (view.place === near.place) === (link.linkNetnsid === undefined);
    if (far && isSame) return linkEnd(view.netns, far);
  }
  const far = askBeside(near.place, link, index);
  if (far?.lowerIndex !== link.index) return undefined;
  const nsid = link.linkNetnsid;
  if (nsid === undefined) return linkEnd(near.netns, far);
  return linkEnd(near.nearEndsOnly ? UNKNOWN_NETNS : netnsOf(context, views, near.place, nsid), far);
}

/** False for one end of a veth pair that is about to vanish, because the namespace of the other end has gone. */
export function hasFarEnd(place: NetnsPlace, link: Link): boolean {
  return askBeside(place, link, link.lowerIndex ?? 0)?.lowerIndex === link.index;
}

/** The device with this index where the other end of `link` is. */
function askBeside(place: NetnsPlace, { linkNetnsid }: Link, index: number): Link | undefined {
  const query = linkNetnsid === undefined ? {} : { targetNetnsid: linkNetnsid };
  return place.socket.get(getLink(index, query), decodeLink, ["ENODEV", "EINVAL"]);
}

/** Which namespace it is that `place` knows by this number. */
function netnsOf(
  context: ObserveContext,
  views: readonly NetnsView[],
  place: NetnsPlace,
  nsid: number,
): Netns {
  const numberOf = (other: NetnsPlace): number | undefined =>
    place.socket.get(getNsid(other.fd), decodeNsid, ["EPERM"]);
  for (const view of views) if (numberOf(view.place) === nsid) return view.netns;
  const host = context.places.of("host");
  if (numberOf(host) === nsid) return "host";
  for (const identity of context.known()) {
    const other = context.places.find(identity);
    if (other && numberOf(other) === nsid) return identity;
  }
  return UNKNOWN_NETNS;
}
