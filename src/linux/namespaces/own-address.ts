/**
 * Reads whether a namespace has an address and can use it: a dump of the addresses of its family, and a lookup of the
 * device.
 */
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
  // An address on several devices is usable if it is usable on one.
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
