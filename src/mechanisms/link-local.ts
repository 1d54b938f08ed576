import type { LinkEnd } from "../kernel/kernel.ts";
import { IPV6_MIN_MTU } from "../net/link-local.ts";

/** Gives a device that hosts or workloads see an IPv6 link-local address, if its MTU allows IPv6. */
export function linkLocal(mtuBytes: number): Pick<LinkEnd, "linkLocal"> {
  return mtuBytes < IPV6_MIN_MTU ? {} : { linkLocal: true };
}
