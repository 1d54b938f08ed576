/** The meaning of a lab file: every default filled in, every address canonical and with one owner. */
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import type { Spec } from "../../attachments/spec.ts";
import type { ContextRoute, PolicyRoute } from "../../forwarder/wire.ts";

/** A host: a network namespace that stands for a machine. */
interface LabHost {
  readonly name: string;
  /** Names of its workloads, each a network namespace of its own. */
  readonly workloads: readonly string[];
  readonly ports: readonly LabPort[];
}

/** A device that a host has before its agent starts, with a cable to a machine in its own namespace. */
export interface LabPort {
  /** Name of the machine, and of the devices at both ends of the cable. */
  readonly name: string;
  /** Addresses of the machine, with prefix length. */
  readonly addresses: readonly string[];
}

interface LinkSide {
  /** Name of a host or router. */
  readonly node: string;
  /** Addresses with prefix length: `10.0.0.1/30`. */
  readonly addresses: readonly string[];
}

/** A cable of the underlay, with the same shape in both directions. */
export interface LabLink {
  readonly ends: readonly [LinkSide, LinkSide];
  readonly mtuBytes: number;
  readonly rateBitsPerSecond?: number;
  readonly delayMs?: number;
  readonly lossPercent?: number;
}

export interface WireSide {
  readonly host: string;
  readonly workload: string;
  readonly interface: string;
  /** Addresses without prefix length. */
  readonly addresses: readonly string[];
  readonly routes: readonly ContextRoute[];
}

/** A wire. Its name is the name of its client's side: `host/workload/interface`. */
export interface LabWire {
  readonly client: WireSide;
  readonly endpoint: WireSide;
  /** MTU in bytes. Absent: the MTU of the path. */
  readonly mtuBytes?: number;
  /** The tunnel of a wire between hosts. */
  readonly tunnel?: LabTunnel;
  readonly policies: readonly PolicyRoute[];
  readonly guard?: boolean;
}

interface LabTunnel {
  readonly type: RemoteType;
  /** Unique in the lab for its type. */
  readonly id: number;
  /** Address family of the underlay that carries the tunnel. */
  readonly family: 4 | 6;
}

/** An attachment for the agent of a host. */
export interface LabAttachment {
  readonly host: string;
  /** The workload, `host/workload`. Absent if the attachment has none. */
  readonly place?: string;
  readonly spec: Spec;
}

/** The processes of a lab. */
export interface LabMesh {
  /** Hosts that run a registry. Hosts without a registry use the first one. */
  readonly registries: readonly string[];
  /** URL of the registries' store. Absent: a file in the lab's directory. */
  readonly store?: string;
  readonly agents: readonly LabAgent[];
  readonly attachments: readonly LabAttachment[];
}

export interface LabAgent {
  readonly host: string;
  /** Addresses by which the other hosts reach this one, one for each family that all of them have. Empty for the only host. */
  readonly addresses: readonly string[];
  /** The smallest MTU on the ways to and from all other hosts. */
  readonly underlayMtuBytes: number;
  /** Whether the host's own namespace may be a workload. */
  readonly allowHostWorkload: boolean;
  /** Addresses of the registries, the preferred one first. */
  readonly registryAddresses: readonly string[];
}

export interface Lab {
  readonly name: string;
  readonly hosts: readonly LabHost[];
  readonly routers: readonly string[];
  readonly links: readonly LabLink[];
  readonly wires: readonly LabWire[];
  /** Absent if the lab has no processes; then the command makes the wires. */
  readonly mesh?: LabMesh;
}

/** The name of one side of a wire: `host/workload/interface`. */
export function sideName(side: WireSide): string {
  return `${side.host}/${side.workload}/${side.interface}`;
}
