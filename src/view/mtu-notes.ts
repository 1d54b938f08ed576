/** Notes on the MTU of a wire. */
import { COMMON } from "../mechanisms/parameters.ts";
import { IPV6_MIN_MTU } from "../net/link-local.ts";
import type { HopView } from "./way.ts";

/** A note if the MTU is too small for IPv6. It names the way that limits the MTU if a host of the wire reports it. */
export function mtuNotes(mtuBytes: number, hops: readonly HopView[]): string[] {
  if (mtuBytes === 0 || mtuBytes >= IPV6_MIN_MTU) return [];
  const bounding = hops
    .flatMap(({ tunnel }) =>
      tunnel && Number(tunnel.parameters[COMMON.mtu]) === mtuBytes ? tunnel.ways : [],
    )
    .filter((way) => way.mtuBytes > 0)
    .sort((a, b) => a.mtuBytes - b.mtuBytes)[0];
  const cause = bounding
    ? `: the way from ${bounding.host} to ${bounding.to} carries ${bounding.mtuBytes} bytes, ${bounding.words}`
    : "";
  return [`its MTU of ${mtuBytes} bytes is below ${IPV6_MIN_MTU}, which IPv6 needs${cause}`];
}
