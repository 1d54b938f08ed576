/**
 * Waits for two changes that the kernel acknowledges before they are in force:
 *
 * - The first end of a veth pair that is set up cannot send before link watch has seen that the second end is there too.
 *   A query of the link runs link watch (rtnl_getlink since v6.8).
 * - An IPv6 address is local only after the work queue for duplicate address detection has handled it, even with
 *   IFA_F_NODAD, and not before the link has a carrier.
 */
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import { lookUp } from "./links.ts";
import * as k from "../netlink/constants.ts";
import { getLink } from "../netlink/link.ts";
import { decodeRoute, getRoute, NO_ROUTE } from "../netlink/route.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/** Milliseconds. The work queue may have to wait for other holders of the RTNL lock. */
const patienceMs = 10_000;

/** Attempts without a pause: usually the first or second one succeeds. */
const eagerTries = 20;

export class Readiness {
  readonly #links: { readonly place: NetnsPlace; readonly index: number }[] = [];
  readonly #addresses: { readonly place: NetnsPlace; readonly index: number; readonly address: string }[] =
    [];

  /** Call for each link that was set up, in the kernel's order. */
  expectLink(place: NetnsPlace, index: number): void {
    this.#links.push({ place, index });
  }

  /** Call for each added address, with prefix length. */
  expectAddress(place: NetnsPlace, index: number, address: string): void {
    if (address.includes(":")) this.#addresses.push({ place, index, address });
  }

  #hasIpv6(link: { readonly place: NetnsPlace; readonly index: number }): boolean {
    return this.#addresses.some(({ place, index }) => place === link.place && index === link.index);
  }

  /** Resolves when all expected changes are in force, or when waiting is pointless. */
  async wait(): Promise<void> {
    // The query itself runs link watch. The last link gets its carrier at once, if at all; only its IPv6 may still have to
    // wait.
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
