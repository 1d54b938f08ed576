/**
 * What a wire is asked for with: the mechanism towards the client, the mechanism towards the endpoint, and the context
 * that the endpoint answered. Close to the messages of NSM (`connection.proto`, `connectioncontext.proto`), so that the
 * generated types map one to one; "src" is the client's side and "dst" the endpoint's.
 */
import type { Netns } from "../kernel/kernel.ts";

/** A device in a workload of this host. Parameters `inodeURL` and `name` of NSM's KERNEL mechanism. */
export interface KernelMechanism {
  readonly type: "KERNEL";
  readonly netns: Netns;
  readonly interfaceName: string;
  /** The largest MTU that this end wants. */
  readonly mtuBytes?: number;
  /** The workload believes the router advertisements and redirects that come out of the wire. Default: false. */
  readonly routerAdvertisements?: boolean;
}

/** A tunnel to another host. Parameters `src_ip`, `dst_ip`, `src_port`, `vni`, `MTU` of NSM's VXLAN mechanism. */
export interface VxlanMechanism {
  readonly type: "VXLAN";
  /** VTEP of the client's host. */
  readonly sourceIp: string;
  /** VTEP of the endpoint's host. */
  readonly destinationIp: string;
  /** UDP port of both sides. Default: 4789. */
  readonly port?: number;
  /** 1 to 2^24 - 1, unique in a host for its port and address family. */
  readonly vni: number;
  /** MTU of the path between the hosts; the wire gets 54 bytes less over IPv4 and 74 less over IPv6. */
  readonly underlayMtuBytes: number;
}

export type Mechanism = KernelMechanism | VxlanMechanism;

/** `Route` of NSM. Without `nextHop` it leads to the first address of the other end, unless that is on the link. */
export interface ContextRoute {
  readonly prefix: string;
  readonly nextHop?: string;
}

/** `PolicyRoute` of NSM, on the client's side: what matches takes `routes`, or the wire if there are none. */
export interface PolicyRoute {
  readonly from?: string;
  /** A name (`tcp`, `udp`, `sctp`, `icmp`, `ipv6-icmp`) or a number. */
  readonly proto?: string;
  /** `80` or `8000-8999`. */
  readonly srcPort?: string;
  readonly dstPort?: string;
  readonly routes?: readonly ContextRoute[];
}

/** `IpNeighbor` of NSM: set on both ends, except for an end's own address. Wins over the derived MAC of an end. */
interface IpNeighbor {
  readonly ip: string;
  readonly hardwareAddress: string;
}

/** `ConnectionContext` of NSM, flat. What is absent is empty. */
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
 * One connection as its forwarder sees it: local if both mechanisms are KERNEL, else the half of a remote one: the near
 * half with KERNEL towards the client and VXLAN towards the endpoint, the far half the other way round.
 */
export interface Wire {
  /** The owner of all that is made: in a mesh the wire's id (src/elements/wire-id.ts). */
  readonly connectionId: string;
  readonly client: Mechanism;
  readonly endpoint: Mechanism;
  readonly context: ConnectionContext;
}
