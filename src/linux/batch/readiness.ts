/**
 * Two changes are acknowledged by the kernel before they are in force:
 *
 * - the first end of a veth pair that is set up cannot send before link watch has seen that the second one is there too;
 *   link watch runs when the kernel is asked about the link (rtnl_getlink since v6.8)
 * - an IPv6 address is the machine's own only when the work queue for duplicate address detection has got to it, also
 *   with IFA_F_NODAD, and not before the link has a carrier
 */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { lookUp } from "./links.ts";
import * as k from "../netlink/constants.ts";
import { getLink } from "../netlink/link.ts";
import { decodeRoute, getRoute, NO_ROUTE } from "../netlink/route.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/** The work queue may have to wait for others that hold the lock of all link changes. */
const patienceMs = 1000;

/** Tries without a pause: usually the first or second succeeds. */
const eagerTries = 20;

export class Readiness {
  readonly #links: { readonly place: NetnsPlace; readonly index: number }[] = [];
  readonly #addresses: { readonly place: NetnsPlace; readonly index: number; readonly address: string }[] =
    [];

  /** A link that was set up, in the order in which the kernel did it. */
  expectLink(place: NetnsPlace, index: number): void {
    this.#links.push({ place, index });
  }

  /** An address, with prefix length, that was added. */
  expectAddress(place: NetnsPlace, index: number, address: string): void {
    if (address.includes(":")) this.#addresses.push({ place, index, address });
  }

  #hasIpv6(link: { readonly place: NetnsPlace; readonly index: number }): boolean {
    return this.#addresses.some(({ place, index }) => place === link.place && index === link.index);
  }

  /** Resolves when everything expected is in force, or waiting makes no sense any more. */
  async wait(): Promise<void> {
    // To ask is enough. The last one has had its carrier from the start, if it has one; what waits is its IPv6.
    for (const { place, index } of this.#links.filter(
      (link, i) => i < this.#links.length - 1 || this.#hasIpv6(link),
    ))
      place.socket.get(getLink(index), () => true, ["ENODEV"]);
    const giveUpAt = performance.now() + patienceMs;
    for (const { place, index, address } of this.#addresses) {
      for (let tries = 0; !isLocal(place, address) && hasCarrier(place, index); tries++) {
        if (performance.now() >= giveUpAt) return;
        await (tries < eagerTries ? turn() : sleep(1));
      }
    }
  }
}

function isLocal(place: NetnsPlace, address: string): boolean {
  return place.socket.get(getRoute(address), decodeRoute, NO_ROUTE)?.type === k.RTN_LOCAL;
}

function hasCarrier(place: NetnsPlace, index: number): boolean {
  return ((lookUp(place, index)?.flags ?? 0) & k.IFF_LOWER_UP) !== 0;
}
