/** Queries about the route of packets to another host, and about own addresses, with the kernel's answers. */
import type { Netns } from "./link.ts";

/** The packet whose route is queried. */
export interface WayQuery {
  readonly netns: Netns;
  readonly to: string;
  /** Source address, which routing rules may depend on. Default: the kernel chooses. */
  readonly from?: string;
  /** UDP destination port, which routing rules may depend on. */
  readonly udpPort?: number;
}

/** One of the next hops of a route. */
export interface WayHop {
  /** The device that packets leave by. */
  readonly link: string;
  /** The router. Absent: the destination is on the link. */
  readonly via?: string;
  /** The smaller of the MTU of the route and that of the device (for IPv6 its IPv6 MTU, if set). */
  readonly mtuBytes: number;
  /** The source of the limit. */
  readonly boundBy: "route" | "device";
}

/**
 * The route of packets. `mtuBytes` is the smallest MTU of all next hops, because the next hop depends on the flow. PMTU
 * exceptions that the kernel has learned are not included: they expire.
 */
export interface ReachableWay {
  readonly mtuBytes: number;
  /** At least one. */
  readonly hops: readonly WayHop[];
}

/**
 * `unreachable` is the kernel's errno: `ENETUNREACH` without a route; `EHOSTUNREACH`, `EACCES` or `EINVAL` for a route that
 * refuses packets (unreachable, prohibit, blackhole). A query with an IPv4 source that the host does not have fails too
 * (ENETUNREACH or EINVAL).
 */
export type Way = ReachableWay | { readonly unreachable: string };

export interface AddressQuery {
  readonly netns: Netns;
  /** Without prefix length. */
  readonly address: string;
}

/** An address of a namespace, whoever has added it. */
export interface OwnAddress {
  readonly link: string;
  /**
   * `tentative`: duplicate address detection is under way (RFC 4862), which needs a carrier. `duplicate`: another host on
   * the link has the address.
   */
  readonly state: "usable" | "tentative" | "duplicate";
  /** The device is up. */
  readonly isUp: boolean;
  /** The device has a carrier. */
  readonly hasCarrier: boolean;
}
