import type { LinkEnd } from "../kernel/kernel.ts";
import { IPV6_MIN_MTU } from "../net/link-local.ts";

/** For a device that hosts or workloads see: an address of its own on the link, where it can have one. */
export function linkLocal(mtuBytes: number): Pick<LinkEnd, "linkLocal"> {
  return mtuBytes < IPV6_MIN_MTU ? {} : { linkLocal: true };
}
