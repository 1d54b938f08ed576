/** The data of one `observe` query: a namespace, and the queried devices. */
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
  /** The tunnel of a device in `host`. */
  readonly tunnelOf: (linkIndex: number) => TunnelEntry | undefined;
  /** The verdict of the `wire` program for frames that enter a device. */
  readonly programOf: (place: NetnsPlace, linkIndex: number) => WireVerdict | undefined;
  /** Namespaces found earlier, to look for the far end of a veth that no query covers. */
  readonly known: () => readonly NetnsInode[];
  /** Called for a namespace with devices that an earlier process has left doomed. */
  readonly onDoomed?: (place: NetnsPlace) => void;
}

export interface NetnsView {
  readonly place: NetnsPlace;
  readonly netns: Netns;
  /** Absent: everything in the namespace. */
  readonly names: ReadonlySet<string> | undefined;
  /** The namespaces of far ends are not needed. */
  readonly nearEndsOnly: boolean;
  /** The queried devices, without doomed ones and without those that vanish with the namespace of their other end. */
  readonly links: readonly Link[];
  readonly byIndex: ReadonlyMap<number, Link>;
  /** The veth pairs with the owner mark, each in the first view with one of its ends, and its far end. */
  readonly pairs: ReadonlyMap<Link, LinkEnd>;
  /** Dumps already read, which several kinds of objects share. */
  readonly seen: Seen;
}

interface Seen {
  addresses?: readonly AddressMessage[];
  routes?: readonly ObservedRoute[];
}

/** The devices with the owner mark. */
export function ownLinks({ mark }: ObserveContext, { links }: NetnsView): Link[] {
  return links.filter(({ group }) => group === mark.group);
}

/**
 * Above this number of devices a single dump of the namespace is cheaper: the kernel goes through everything for each
 * query.
 */
const MANY_LINKS = 16;

/** The indexes to query: each named link if there are few, or `undefined` for one query of the whole namespace. */
export function indexesOf({ names, links }: NetnsView): readonly (number | undefined)[] {
  return names && names.size <= MANY_LINKS ? links.map(({ index }) => index) : [undefined];
}

/** All addresses of the queried devices. */
export function addressesOf(view: NetnsView): readonly AddressMessage[] {
  view.seen.addresses ??= indexesOf(view)
    .flatMap((index) => view.place.socket.dump(dumpAddresses(index), decodeAddress))
    .filter(({ linkIndex }) => view.byIndex.has(linkIndex));
  return view.seen.addresses;
}

/** Unicast routes of the queried devices with the owner mark or from the kernel itself; for named links also others. */
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

/** A device as a `LinkEnd`. */
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
