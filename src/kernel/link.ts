/** Namespaces and devices, as places of objects. Plain data. */

/**
 * Names a network namespace, in the grammar of NSM's `inodeURL`: `host` is the namespace that the kernel serves,
 * `file:///run/netns/a` and `file:///proc/7/ns/net` are paths, `inode://4/4026534093` is an identity (device, inode)
 * as `Kernel.resolve` returns it. A path is resolved anew at every use; an identity never leads to another namespace.
 */
export type Netns = "host" | `file://${string}` | `inode://${string}`;

/** One end of a veth pair, or any single device, in its state before it is up. */
export interface LinkEnd {
  readonly netns: Netns;
  /** At most 15 bytes (IFNAMSIZ - 1), no `/`, no white space. */
  readonly name: string;
  readonly mac: string;
  readonly mtuBytes: number;
  /** The owner, for display and for adoption (IFLA_IFALIAS, at most 255 bytes). */
  readonly alias: string;
  /**
   * While up, the device has an IPv6 link-local address derived from its MAC (RFC 4291 appendix A), if IPv6 is enabled.
   * Needs an MTU of 1280. Equivalent to: `ip link set dev N addrgenmode eui64`, instead of `none`
   */
  readonly linkLocal?: true;
}

/** The device that an object is on. */
export interface OnLink {
  readonly netns: Netns;
  readonly link: string;
}

/** The key of a link on this machine. */
export function linkKey(netns: Netns, link: string): string {
  return `${netns} ${link}`;
}

/** The link key of the device that an object is on. */
export function carrierKey({ netns, link }: OnLink): string {
  return linkKey(netns, link);
}

/**
 * The loss key of the IPv4 part of an object: removing the last IPv4 address of a link removes all IPv4 objects with this
 * key.
 */
export function ipv4Of(object: OnLink): string {
  return `IPv4 of ${carrierKey(object)}`;
}
