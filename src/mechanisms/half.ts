/**
 * One side of a wire on this host. Two halves make a wire: `crossConnect` of the forwarder joins their ports.
 *
 *   [workload: nsm-1]===veth===[port]      [port ))) tunnel      [port: tap0]
 */
import type { KernelObject, LinkEnd, Netns, Tunnel, Veth } from "../kernel/kernel.ts";
import type { Side } from "./side.ts";

/** The namespace that the agent serves. */
export const HOST: Netns = "host";

/** The wire and side that a half is made for. */
export interface Place {
  readonly connectionId: string;
  readonly side: Side;
  /** MTU of the wire. */
  readonly mtuBytes: number;
  /** MACs of the workloads' devices at both ends. */
  readonly macs: Readonly<Record<Side, string>>;
}

/** The entry and exit of a half's frames: a device in `HOST`, or a tunnel, which is on the device of the other half. */
export type Port = DevicePort | TunnelPort;
export type DevicePort = OwnPort | BorrowedPort;

interface OwnPort {
  readonly end: LinkEnd;
  readonly index?: never;
}

/** A device that somebody else made: it gets a program, and nothing else. */
interface BorrowedPort {
  readonly end: Pick<LinkEnd, "netns" | "name">;
  readonly index: number;
}

export interface TunnelPort {
  readonly tunnel: Omit<Tunnel, "mac">;
}

/** Things that a workload's owner lets the other end do. */
export interface Trust {
  /** Router advertisements and redirects are accepted. Default: false. */
  readonly routerAdvertisements?: boolean | undefined;
  /** Answers of DHCP servers pass. Default: false. */
  readonly dhcp?: boolean | undefined;
}

/** A device in a workload, which gets the addresses and routes of its side. */
export interface WorkloadLink {
  readonly link: LinkEnd;
  readonly trust: Trust;
  /** Forward packets that arrive on this device. Default: as the namespace is set. */
  readonly forwarding?: boolean | undefined;
}

export interface Half {
  /** Devices to make for the half, in this order. */
  readonly devices: readonly Veth[];
  /** Objects that the half needs and other wires need too (`Plan.shared`). Default: none. */
  readonly shared?: readonly KernelObject[];
  readonly port: Port;
  /** The other end of the veth pair that ends in the port. If both halves have one, they become one pair without ports. */
  readonly workload?: WorkloadLink;
}
