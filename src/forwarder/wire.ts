/**
 * The request for a wire: the mechanism towards the client, the mechanism towards the endpoint, and the context that the endpoint
 * answered. Close to the messages of NSM (`connection.proto`, `connectioncontext.proto`), so that the generated types map one to
 * one; "src" is the client's side and "dst" the endpoint's.
 */
import type { Mechanism } from "../mechanisms/list.ts";
import type { Side } from "../mechanisms/side.ts";

/** `Route` of NSM. Without `nextHop` it goes via the first address of the other end, unless the prefix is on the link. */
export interface ContextRoute {
  readonly prefix: string;
  readonly nextHop?: string;
}

/** `PolicyRoute` of NSM, on the client's side: matching packets take `routes`, or the wire if there are none. */
export interface PolicyRoute {
  readonly from?: string;
  /** A name of /etc/protocols (`tcp`, `udp`, `sctp`, `icmp`, `ipv6-icmp`, …) or a number. */
  readonly proto?: string;
  /** `80` or `8000-8999`. */
  readonly srcPort?: string;
  readonly dstPort?: string;
  readonly routes?: readonly ContextRoute[];
}

/** `IpNeighbor` of NSM: set on both ends, except for an end's own address. Overrides the derived MAC of an end. */
interface IpNeighbor {
  readonly ip: string;
  readonly hardwareAddress: string;
}

/** `ConnectionContext` of NSM, flat. An absent field is empty. */
export interface ConnectionContext {
  /** Addresses of the client's device with prefix length. */
  readonly srcIpAddrs?: readonly string[];
  /** Addresses of the endpoint's device with prefix length. */
  readonly dstIpAddrs?: readonly string[];
  readonly srcRoutes?: readonly ContextRoute[];
  readonly dstRoutes?: readonly ContextRoute[];
  readonly policies?: readonly PolicyRoute[];
  readonly ipNeighbors?: readonly IpNeighbor[];
  /** MAC of the client's device. Default: derived from the connection id, the same on both hosts. */
  readonly srcMac?: string;
  readonly dstMac?: string;
  readonly mtuBytes?: number;
}

/**
 * One connection as its forwarder sees it: a wire between two workloads of its host; or the near half of a wire to another host,
 * with a workload towards the client and a tunnel towards the endpoint; or the far half, the other way round; or, on a host in
 * between, from tunnel to tunnel.
 */
export interface Wire {
  /** The owner of all objects made for the wire: in a mesh the wire's id (src/elements/wires/wire-id.ts). */
  readonly connectionId: string;
  readonly client: Mechanism;
  readonly endpoint: Mechanism;
  readonly context: ConnectionContext;
  /** Ends that are ports of another host: the MACs behind them are unknown, so they are resolved by ARP and ND. */
  readonly learned?: readonly Side[];
  /** With ETHERNET, each side sends frames from one MAC. Absent: not known. */
  readonly payload?: "ETHERNET" | "IP";
  /**
   * The traffic that is checked. `always`: also between two workloads of one host, by a pair of devices in the middle; `never`:
   * none. Default: traffic that leaves this host or comes from another one.
   */
  readonly guard?: WireGuard;
}

export type WireGuard = "always" | "never";

/** Translates the setting `guard: true`, `guard: false` or none. */
export function wireGuard(asked: boolean | undefined): { readonly guard?: WireGuard } {
  return asked === undefined ? {} : { guard: asked ? "always" : "never" };
}
