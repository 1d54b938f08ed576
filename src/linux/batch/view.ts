/** What one query of `observe` sees: a namespace, and the devices in question. */
import type { LinkEnd, Netns, OwnerMark } from "../../kernel/kernel.ts";
import type { TunnelEntry } from "../bpf/tunnel-entry.ts";
import type { WireVerdict } from "../bpf/wire-map.ts";
import * as k from "../netlink/constants.ts";
import { type AddressMessage, decodeAddress, dumpAddresses } from "../netlink/address.ts";
import type { Link } from "../netlink/link-decode.ts";
import { decodeRoute, dumpRoutes, type ObservedRoute, type RouteQuery } from "../netlink/route.ts";
import type { NetnsInode } from "../namespaces/netns.ts";
import type { NetnsPlace, Places } from "../namespaces/place.ts";

export interface ObserveContext {
  readonly places: Places;
  readonly mark: OwnerMark;
  /** The tunnel of a device of the host. */
  readonly tunnelOf: (linkIndex: number) => TunnelEntry | undefined;
  /** What the `wire` program does with what enters a device. */
  readonly programOf: (place: NetnsPlace, linkIndex: number) => WireVerdict | undefined;
  /** Namespaces that were found before, for the far end of a veth that no query asks about. */
  readonly known: () => readonly NetnsInode[];
  /** Called for a namespace that has devices which an earlier carrier left doomed. */
  readonly onDoomed?: (place: NetnsPlace) => void;
}

export interface NetnsView {
  readonly place: NetnsPlace;
  readonly netns: Netns;
  /** Absent: everything in the namespace. */
  readonly names: ReadonlySet<string> | undefined;
  /** Nobody asks in which namespace far ends are. */
  readonly nearEndsOnly: boolean;
  /** The devices in question, without those that are doomed or about to vanish with the other end's namespace. */
  readonly links: readonly Link[];
  readonly byIndex: ReadonlyMap<number, Link>;
  /** The veth pairs of ours, each in the first view that has an end of it, with the far end. */
  readonly pairs: ReadonlyMap<Link, LinkEnd>;
  /** What was read of it already, for several kinds of objects. */
  readonly seen: Seen;
}

interface Seen {
  addresses?: readonly AddressMessage[];
  routes?: readonly ObservedRoute[];
}

/** Those with our mark. */
export function ownLinks({ mark }: ObserveContext, { links }: NetnsView): Link[] {
  return links.filter(({ group }) => group === mark.group);
}

/** Of more devices than these all that the namespace has is read at once: each question goes through all of it anyway. */
const MANY_LINKS = 16;

/** What to ask about: each of the named links if they are few, or with one question all that the namespace has. */
export function indexesOf({ names, links }: NetnsView): readonly (number | undefined)[] {
  return names && names.size <= MANY_LINKS ? links.map(({ index }) => index) : [undefined];
}

/** All addresses of the devices in question. */
export function addressesOf(view: NetnsView): readonly AddressMessage[] {
  view.seen.addresses ??= indexesOf(view)
    .flatMap((index) => view.place.socket.dump(dumpAddresses(index), decodeAddress))
    .filter(({ linkIndex }) => view.byIndex.has(linkIndex));
  return view.seen.addresses;
}

/** Routes to others of the devices in question, as far as they are ours or the kernel's own; on named links there may be more. */
export function routesOf({ mark }: ObserveContext, view: NetnsView): readonly ObservedRoute[] {
  view.seen.routes ??= indexesOf(view)
    .flatMap((linkIndex): readonly Omit<RouteQuery, "family">[] =>
      linkIndex === undefined
        ? [{ protocol: mark.protocol }, { protocol: k.RTPROT_KERNEL }]
        : [{ linkIndex }],
    )
    .flatMap((query) =>
      ([4, 6] as const).flatMap((family) =>
        view.place.socket.dump(dumpRoutes({ family, ...query }), decodeRoute),
      ),
    )
    .filter(
      ({ type, isCloned, linkIndex = 0 }) =>
        type === k.RTN_UNICAST && !isCloned && view.byIndex.has(linkIndex),
    );
  return view.seen.routes;
}

/** A device as one end. */
export function linkEnd(netns: Netns, link: Link): LinkEnd {
  return {
    netns,
    name: link.name,
    mac: link.mac ?? "",
    mtuBytes: link.mtuBytes,
    alias: link.alias ?? "",
    ...(link.addrGenMode === k.IN6_ADDR_GEN_MODE_EUI64 && { linkLocal: true }),
  };
}
