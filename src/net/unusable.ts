/**
 * Addresses that the end of a wire cannot have. Tested on Linux 6.18: all others carry packets, even 240.0.0.0/4 and
 * 0.0.0.1.
 */
import { contains, type IpAddress, type IpPrefix, mustParsePrefix } from "./ip.ts";

interface Unusable {
  readonly prefix: IpPrefix;
  /** A noun phrase for messages: `a multicast address`. */
  readonly what: string;
}

function unusable(prefix: string, what: string): Unusable {
  return { prefix: mustParsePrefix(prefix), what };
}

/** Prefixes that the kernel refuses, or accepts without carrying packets. */
export const UNUSABLE: readonly Unusable[] = [
  unusable("0.0.0.0/32", "the unspecified address"),
  unusable("127.0.0.0/8", "a loopback address"),
  unusable("224.0.0.0/4", "a multicast address"),
  unusable("255.255.255.255/32", "the broadcast address"),
  unusable("::/128", "the unspecified address"),
  unusable("::1/128", "the loopback address"),
  // Sockets treat these as IPv4.
  unusable("::ffff:0:0/96", "an IPv4-mapped address"),
  unusable("ff00::/8", "a multicast address"),
];

const LINK_LOCAL = mustParsePrefix("fe80::/10");

/** The kind of an unusable address: `a loopback address`. `undefined` for an address that the end of a wire can have. */
export function whyUnusable(address: IpAddress): string | undefined {
  return UNUSABLE.find(({ prefix }) => contains(prefix, address))?.what;
}

/** As `whyUnusable`, for addresses in files: refuses link-local ones too, because they name no link. */
export function whyUnusableInFile(address: IpAddress): string | undefined {
  return contains(LINK_LOCAL, address) ? "a link-local address" : whyUnusable(address);
}

/** RFC 3927. */
const LINK_LOCAL_IPV4 = mustParsePrefix("169.254.0.0/16");

/**
 * As `whyUnusableInFile`, for the underlay address of a tunnel: refuses IPv4 link-local ones too, because routers do not
 * forward them.
 */
export function whyNoTunnelEnd(address: IpAddress): string | undefined {
  return contains(LINK_LOCAL_IPV4, address) ? "a link-local address" : whyUnusableInFile(address);
}
