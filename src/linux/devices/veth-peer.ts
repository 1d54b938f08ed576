/** Finds the other end of a veth pair. */
import type { LinkEnd, Netns, OwnerMark } from "../../kernel/kernel.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { getLink } from "../netlink/link.ts";
import { decodeNsid, getNsid } from "../netlink/nsid.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { linkEnd, type ObserveContext, type NetnsView } from "../batch/view.ts";

/** The name of a namespace that is neither queried nor known by a path. */
const UNKNOWN_NETNS: Netns = "inode://0/0";

export function isOurPair(mark: OwnerMark, { group, kind }: Link): boolean {
  return group === mark.group && kind === "veth";
}

/**
 * The far end of `link`. Its namespace is named as in the queries if it is among them, otherwise by its identity if it was
 * found before, otherwise `inode://0/0`. `undefined` if the pair is about to vanish.
 */
export function farEnd(
  context: ObserveContext,
  views: readonly NetnsView[],
  near: NetnsView,
  link: Link,
): LinkEnd | undefined {
  const index = link.lowerIndex ?? 0;
  // Netloom's indexes are unique over all namespaces, and the two ends reference each other.
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

/** False for one end of a veth pair that is about to vanish because the namespace of the other end is gone. */
export function hasFarEnd(place: NetnsPlace, link: Link): boolean {
  return askBeside(place, link, link.lowerIndex ?? 0)?.lowerIndex === link.index;
}

/** The device with this index in the namespace of the other end of `link`. */
function askBeside(place: NetnsPlace, { linkNetnsid }: Link, index: number): Link | undefined {
  const query = linkNetnsid === undefined ? {} : { targetNetnsid: linkNetnsid };
  return place.socket.get(getLink(index, query), decodeLink, ["ENODEV", "EINVAL"]);
}

/** The namespace with this ID in `place`. */
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
