/** Whether a namespace has an address, and whether it can be used: a dump of the addresses of its family, and a look at the device. */
import type { OwnAddress } from "../../kernel/kernel.ts";
import { canonicalIp, familyOf } from "../../net/ip.ts";
import { lookUp } from "../batch/links.ts";
import { decodeAddressState, dumpAddresses } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import type { NetnsPlace } from "./place.ts";

export function readOwnAddress(place: NetnsPlace, address: string): OwnAddress | undefined {
  const wanted = canonicalIp(address);
  const found = place.socket
    .dump(dumpAddresses(0, familyOf(wanted)), decodeAddressState)
    .filter((each) => each.address === wanted);
  // The same address on several devices is usable where it is so on one.
  const best = found.find(({ state }) => state === "usable") ?? found[0];
  const link = best && lookUp(place, best.linkIndex);
  if (!best || !link) return undefined;
  return {
    link: link.name,
    state: best.state,
    isUp: (link.flags & k.IFF_UP) !== 0,
    hasCarrier: (link.flags & k.IFF_LOWER_UP) !== 0,
  };
}
