/** The largest packet of a wire or link. */
import { z } from "zod";
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import type { FilePath, Finding } from "../../text/problem.ts";

/** The values that IFLA_MTU of a veth device takes; every device of a wire is made with this MTU. */
export const mtuSchema = z
  .int({ error: "expected a whole number of bytes" })
  .min(68, "the smallest MTU that IPv4 allows is 68")
  .max(65_535, "the largest MTU of a veth device is 65535");

/** Checks an MTU. `remedy` completes "raise it, or …" in the message. */
export function checkMtu(
  mtuBytes: number | undefined,
  path: FilePath,
  { hasIpv6, remedy }: { readonly hasIpv6: boolean; readonly remedy: string },
): Finding[] {
  if (mtuBytes === undefined || mtuBytes >= IPV6_MIN_MTU || !hasIpv6) return [];
  const message = `${mtuBytes} bytes do not fit: IPv6 needs an MTU of ${IPV6_MIN_MTU} or more; raise it, or ${remedy}`;
  return [{ path, message }];
}
