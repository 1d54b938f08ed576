/** How packets leave a host for another one, and whether the host has an address: questions to the kernel, and its answers. */
import type { Netns } from "./link.ts";

/** A packet that is asked about. */
export interface WayQuery {
  readonly netns: Netns;
  readonly to: string;
  /** Its source: rules may lead by it. Default: the kernel chooses. */
  readonly from?: string;
  /** It is UDP to this port: rules may lead by that. */
  readonly udpPort?: number;
}

/** One of the next hops that a packet may take. */
export interface WayHop {
  /** The device by which it leaves. */
  readonly link: string;
  /** The router. Absent: the destination is on the link. */
  readonly via?: string;
  /** The MTU of the route or that of the device (for IPv6 its own, if that is set), whichever is smaller. */
  readonly mtuBytes: number;
  /** What says so. */
  readonly boundBy: "route" | "device";
}

/**
 * Where the packets go. `mtuBytes` is the smallest of all next hops: which one a packet takes is the business of its flow. What the
 * kernel has learned of the rest of the way (PMTU exceptions) is no route: it expires by itself.
 */
export interface ReachableWay {
  readonly mtuBytes: number;
  /** At least one. */
  readonly hops: readonly WayHop[];
}

/**
 * `unreachable` is the kernel's errno: `ENETUNREACH` without a route, `EHOSTUNREACH`, `EACCES` and `EINVAL` for a route that refuses
 * (unreachable, prohibit, blackhole). An IPv4 source that the host does not have leads nowhere either (ENETUNREACH, or EINVAL).
 */
export type Way = ReachableWay | { readonly unreachable: string };

export interface AddressQuery {
  readonly netns: Netns;
  /** Without prefix length. */
  readonly address: string;
}

/** An address of a namespace, whoever has given it. */
export interface OwnAddress {
  readonly link: string;
  /**
   * `tentative`: the kernel still looks whether another host on the link has it (duplicate address detection, RFC 4862), for which
   * the link needs a carrier. `duplicate`: another one has it.
   */
  readonly state: "usable" | "tentative" | "duplicate";
  /** Its device is up. */
  readonly isUp: boolean;
  /** There is somebody at the other end of its device. */
  readonly hasCarrier: boolean;
}
