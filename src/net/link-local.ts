/** What IPv6 has on every link by itself. */
import { formatIp } from "./ip.ts";
import { parseMac } from "./mac.ts";

/** A device with less has no IPv6, and no settings of it (RFC 8200 section 5). Bytes. */
export const IPV6_MIN_MTU = 1280;

/** The address that follows from a MAC: fe80::/64 and the modified EUI-64 (RFC 4291 section 2.5.6 and appendix A). */
export function linkLocalAddress(mac: string): string {
  const bytes = parseMac(mac);
  if (!bytes) throw new TypeError(`${mac} is no MAC`);
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = bytes;
  const identifier = [a ^ 0x02, b, c, 0xff, 0xfe, d, e, f];
  return formatIp({ family: 6, bytes: Uint8Array.from([0xfe, 0x80, 0, 0, 0, 0, 0, 0, ...identifier]) });
}

/** In fe80::/10, where an address says nothing without a link. */
export function isLinkLocal(address: string): boolean {
  return /^fe[89ab]/i.test(address);
}
