/** IPv6 link-local addresses and the minimum MTU of IPv6. */
import { formatIp } from "./ip.ts";
import { parseMac } from "./mac.ts";

/** Bytes. On a device with a smaller MTU Linux has no IPv6 and no IPv6 sysctls (RFC 8200 section 5). */
export const IPV6_MIN_MTU = 1280;

/** The link-local address for a MAC: fe80::/64 and the modified EUI-64 (RFC 4291 section 2.5.6 and appendix A). */
export function linkLocalAddress(mac: string): string {
  const bytes = parseMac(mac);
  if (!bytes) throw new TypeError(`${mac} is not a MAC`);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const identifier = [a ^ 0x02, b, c, 0xff, 0xfe, d, e, f];
  return formatIp({ family: 6, bytes: Uint8Array.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...identifier]) });
}

/** Is the address in fe80::/10, and so ambiguous without a link? */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
