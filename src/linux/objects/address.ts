import type { Address, Route } from "../../kernel/kernel.ts";
import { linkRoute } from "../../kernel/objects/address.ts";
import { addressOf, familyOf } from "../../net/ip.ts";
import { deleteAddress, newAddress } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import type { Link } from "../netlink/link-decode.ts";
import { deleteRoute, newRoute } from "../netlink/route.ts";
import type { LinuxObjectKind, Target } from "../object-kind.ts";
import { plainObject } from "../batch/plain-object.ts";
import { addressesOf, type NetnsView, type ObserveContext, routesOf } from "../batch/view.ts";

const addRequest = (object: Address, target: Target): Uint8Array => newAddress({ ...object, ...target });

export const address: LinuxObjectKind<Address> = plainObject<Address>({
  addRequest,
  removeRequest: (object, target) => deleteAddress({ ...object, ...target }),
  restore: addRequest,
  // A device loses its neighbours and routes with its last IPv4 address.
  async before(tools, _job, { object, place, link }) {
    if (link && familyOf(object.address) === 4) await tools.restoreLater(place, link);
  },
  adding({ readiness }, { object, place, target }) {
    readiness.expectAddress(place, target.linkIndex, object.address);
    return {};
  },
  mend(object, { lacksRoute }, target) {
    const route = lacksRoute ? keptRoute(object) : undefined;
    if (!route) return undefined;
    const message = { ...route, linkIndex: target.linkIndex, protocol: k.RTPROT_KERNEL };
    return { request: newRoute(message), undo: deleteRoute(message) };
  },
  observe(context, view) {
    return addressesOf(view).flatMap(({ linkIndex, protocol, ...rest }): Address[] => {
      const link = view.byIndex.get(linkIndex);
      if (!link || protocol !== context.mark.protocol) return [];
      const lacksRoute = lacksKeptRoute(context, view, link, rest);
      return [
        { kind: "address", netns: view.netns, link: link.name, ...rest, ...(lacksRoute && { lacksRoute }) },
      ];
    });
  },
});

/** The kernel's route in the main table for an address of a device that is up. */
function keptRoute(
  object: Pick<Address, "address" | "peer">,
): Pick<Route, "destination" | "metric" | "source"> | undefined {
  const destination = linkRoute(object);
  if (destination === undefined) return undefined;
  return familyOf(object.address) === 4
    ? { destination, source: addressOf(object.address) }
    : { destination, metric: k.IP6_RT_PRIO_ADDRCONF };
}

function lacksKeptRoute(
  context: ObserveContext,
  view: NetnsView,
  { index, flags }: Link,
  address: Pick<Address, "address" | "peer">,
): boolean {
  const destination = (flags & k.IFF_UP) === 0 ? undefined : linkRoute(address);
  if (destination === undefined) return false;
  return !routesOf(context, view).some(
    (route) => route.linkIndex === index && route.table === undefined && route.destination === destination,
  );
}
