/** Reads the state of a device that is to be a port: a lookup of the link, and a dump of its addresses. */
import type { PortFacts, OwnerMark } from "../../kernel/kernel.ts";
import { isLinkLocal } from "../../net/link-local.ts";
import { lookUp } from "../batch/links.ts";
import { decodeAddress, dumpAddresses } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import type { NetnsPlace } from "./place.ts";
import { doomedGroup } from "../batch/reaper.ts";

export function readDevice(place: NetnsPlace, { group }: OwnerMark, name: string): PortFacts | undefined {
  const link = lookUp(place, name);
  if (!link) return undefined;
  const { index, mtuBytes, flags, hardware, master, kind } = link;
  const addresses = place.socket
    .dump(dumpAddresses(index), decodeAddress)
    .filter((each) => each.linkIndex === index)
    .map(({ address }) => address)
    .filter((address) => !isLinkLocal(address.split("/")[0] ?? ""));
  return {
    index,
    mtuBytes,
    isUp: (flags & k.IFF_UP) !== 0,
    hasCarrier: (flags & k.IFF_LOWER_UP) !== 0,
    isEthernet: hardware === undefined,
    isOurs: [group, doomedGroup(group)].includes(link.group),
    ...(kind !== undefined && { sort: kind }),
    ...(master !== undefined && { master: lookUp(place, master)?.name ?? String(master) }),
    addresses,
  };
}
