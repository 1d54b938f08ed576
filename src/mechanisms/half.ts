/**
 * One side of a wire on this host. Two halves make a wire: `crossConnect` of the forwarder joins their ports.
 *
 *   [workload: nsm-1]===veth===[port]      [port ))) tunnel      [port: tap0]
 */
import type { KernelObject, LinkEnd, Netns, Tunnel, Veth } from "../kernel/kernel.ts";
import type { Side } from "./side.ts";

/** The namespace that the agent serves. */
export const HOST: Netns = "host";

/** What a half is made for. */
export interface Place {
  readonly connectionId: string;
  readonly side: Side;
  /** Of the wire. */
  readonly mtuBytes: number;
  /** MACs of the workloads' devices at both ends. */
  readonly macs: Readonly<Record<Side, string>>;
}

/** Where the frames of a half come and go: a device in `HOST`, or a tunnel, which is on the device of the other half. */
export type Port = DevicePort | TunnelPort;
export type DevicePort = OwnPort | BorrowedPort;

interface OwnPort {
  readonly end: LinkEnd;
  readonly index?: never;
}

/** A device that somebody else has made: it gets a program, and nothing else. */
interface BorrowedPort {
  readonly end: Pick<LinkEnd, "netns" | "name">;
  readonly index: number;
}

export interface TunnelPort {
  readonly tunnel: Omit<Tunnel, "mac">;
}

/** What a workload's owner allows the other end. */
export interface Trust {
  /** Router advertisements and redirects are taken. Default: false. */
  readonly routerAdvertisements?: boolean | undefined;
  /** Answers of DHCP servers come through. Default: false. */
  readonly dhcp?: boolean | undefined;
}

/** A device in a workload, which gets the addresses and routes of its side. */
export interface WorkloadLink {
  readonly link: LinkEnd;
  readonly trust: Trust;
  /** What comes in by it is forwarded. Default: as the namespace has it. */
  readonly forwarding?: boolean | undefined;
}

export interface Half {
  /** What has to be made for it, in this order. */
  readonly devices: readonly Veth[];
  /** What it needs that other wires need as well (`Plan.shared`). Default: nothing. */
  readonly shared?: readonly KernelObject[];
  readonly port: Port;
  /** The other end of the veth pair that ends in the port. Two halves with one are fused into one pair, without ports. */
  readonly workload?: WorkloadLink;
}
