/** Reads the network of a namespace without Netloom: three dumps without one of links, or a lookup for each address. */
import { KernelError, type NativeNetwork, type OwnerMark } from "../../kernel/kernel.ts";
import { decodeAddress, dumpAddresses } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import { lookUp } from "../batch/links.ts";
import { decodeRoute, dumpRoutes, getRoute, NO_ROUTE, type ObservedRoute } from "../netlink/route.ts";
import type { NetnsPlace } from "./place.ts";
import { doomedGroup } from "../batch/reaper.ts";

export function readNativeNetwork(
  place: NetnsPlace,
  mark: OwnerMark,
  near: readonly string[] | undefined,
): NativeNetwork {
  const { identity } = place;
  return { identity, ...(near ? readNear(place, mark, near) : readAll(place, mark)) };
}

/** A device with an address of Netloom counts as Netloom's: the kernel's own additions to it have no mark. */
function readAll(place: NetnsPlace, { protocol }: OwnerMark): Omit<NativeNetwork, "identity"> {
  const all = place.socket.dump(dumpAddresses(), decodeAddress);
  const ours = new Set(all.filter((each) => each.protocol === protocol).map(({ linkIndex }) => linkIndex));
  const routes = ([4, 6] as const)
    .flatMap((family) => mainRoutes(place, family))
    .filter((route) => route.protocol !== protocol && !ours.has(route.linkIndex ?? 0))
    .filter(({ type, isCloned }) => type === k.RTN_UNICAST && !isCloned);
  return {
    addresses: all
      .filter(({ linkIndex }) => !ours.has(linkIndex))
      .flatMap(({ address, peer }) => [address, ...(peer === undefined ? [] : [peer])]),
    routes: routes.map(({ destination, via }) => ({ destination, ...(via !== undefined && { via }) })),
  };
}

function readNear(
  place: NetnsPlace,
  { group, protocol }: OwnerMark,
  near: readonly string[],
): Omit<NativeNetwork, "identity"> {
  const ours = [group, doomedGroup(group)];
  const found = near.flatMap((address): ObservedRoute[] => {
    const route = place.socket.get(getRoute(address, "entry"), decodeRoute, NO_ROUTE);
    if (!route || route.protocol === protocol) return [];
    const device = route.linkIndex === undefined ? undefined : lookUp(place, route.linkIndex);
    return device && ours.includes(device.group) ? [] : [route];
  });
  return {
    addresses: found.flatMap(({ type, destination }) => (type === k.RTN_LOCAL ? [destination] : [])),
    routes: found.flatMap(({ type, destination, via }) =>
      type === k.RTN_UNICAST ? [{ destination, ...(via !== undefined && { via }) }] : [],
    ),
  };
}

function mainRoutes(place: NetnsPlace, family: 4 | 6): ObservedRoute[] {
  try {
    return place.socket.dump(dumpRoutes({ family, table: k.RT_TABLE_MAIN }), decodeRoute);
  } catch (error) {
    // The main table does not exist before the first route, or the kernel has no IPv6.
    if (error instanceof KernelError && error.errno !== undefined) return [];
    throw error;
  }
}
