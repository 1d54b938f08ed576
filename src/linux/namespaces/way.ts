/** Finds the route of packets to another host: one lookup of the route, and one of each device on it. */
import { KernelError, type Way, type WayHop, type WayQuery } from "../../kernel/kernel.ts";
import { familyOf } from "../../net/ip.ts";
import { lookUp } from "../batch/links.ts";
import type { Link } from "../netlink/link-decode.ts";
import { getRoute, NO_ROUTE } from "../netlink/route.ts";
import { decodeHops, type RouteHop, type RouteHops } from "../netlink/way.ts";
import type { NetnsPlace } from "./place.ts";

/** EOPNOTSUPP and EAFNOSUPPORT: the kernel has no IPv6. */
const UNREACHABLE: readonly string[] = [...NO_ROUTE, "EOPNOTSUPP", "EAFNOSUPPORT"];

/**
 * Queries the table entry (RTM_F_FIB_MATCH) and not the path of one packet: the entry has all next hops, and the route's
 * own MTU. Otherwise RTM_GETROUTE returns learned MTU exceptions in the same attribute.
 */
export function readWay(place: NetnsPlace, query: WayQuery): Way {
  const found = askRoute(place, query);
  if ("unreachable" in found) return found;
  const family = familyOf(query.to);
  const hops = found.hops.flatMap((hop) => wayHop(place, { hop, family, route: found }));
  if (hops.length === 0) return { unreachable: "ENETUNREACH" };
  return { mtuBytes: Math.min(...hops.map(({ mtuBytes }) => mtuBytes)), hops };
}

function askRoute(place: NetnsPlace, query: WayQuery): RouteHops | { readonly unreachable: string } {
  const ask = (as: "path" | "entry"): RouteHops | undefined =>
    place.socket.get(getRoute(query.to, as, query), decodeHops);
  try {
    const entry = ask("entry");
    if (entry && entry.hops.length > 0) return entry;
    // The entry names only a next-hop object: the path of one packet is all that the kernel reports.
    const { hops = [] } = ask("path") ?? {};
    return { ...entry, hops };
  } catch (error) {
    if (!(error instanceof KernelError) || error.errno === undefined) throw error;
    if (!UNREACHABLE.includes(error.errno)) throw error;
    return { unreachable: error.errno };
  }
}

function wayHop(
  place: NetnsPlace,
  {
    hop,
    family,
    route,
  }: { readonly hop: RouteHop; readonly family: 4 | 6; readonly route: Pick<RouteHops, "mtuBytes"> },
): WayHop[] {
  const link = lookUp(place, hop.linkIndex);
  // The device has just been removed, and its route with it.
  if (!link) return [];
  const { via } = hop;
  const ofDevice = deviceMtu(link, family);
  const ofRoute = route.mtuBytes ?? Infinity;
  const bound =
    ofRoute < ofDevice
      ? ({ mtuBytes: ofRoute, boundBy: "route" } as const)
      : ({ mtuBytes: ofDevice, boundBy: "device" } as const);
  return [{ link: link.name, ...(via !== undefined && { via }), ...bound }];
}

function deviceMtu({ mtuBytes, ipv6MtuBytes = mtuBytes }: Link, family: 4 | 6): number {
  return family === 6 ? Math.min(mtuBytes, ipv6MtuBytes) : mtuBytes;
}
