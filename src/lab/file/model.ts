/** A lab as its file means it: every default filled in, every address canonical and given to one owner. */
import type { RemoteType } from "../../mechanisms/mechanism-type.ts";
import type { Wish } from "../../attachments/wish.ts";
import type { ContextRoute, PolicyRoute } from "../../forwarder/wire.ts";

/** A host: a network namespace that stands for a machine. */
interface LabHost {
  readonly name: string;
  /** Names of its workloads, each a network namespace of its own. */
  readonly workloads: readonly string[];
  readonly ports: readonly LabPort[];
}

/** A device of a host that is there before its agent, with a cable to a machine: a namespace of its own. */
export interface LabPort {
  /** Of the device at both ends of the cable, and of the machine. */
  readonly name: string;
  /** Of the machine, with prefix length. */
  readonly addresses: readonly string[];
}

interface LinkSide {
  /** Name of a host or router. */
  readonly node: string;
  /** With prefix length: `10.0.0.1/30`. */
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
  /** Without prefix length. */
  readonly addresses: readonly string[];
  readonly routes: readonly ContextRoute[];
}

/** A wire. Its name is its client's: `host/workload/interface`. */
export interface LabWire {
  readonly client: WireSide;
  readonly endpoint: WireSide;
  /** Bytes; absent: what the path carries. */
  readonly mtuBytes?: number;
  /** Of a wire between hosts. */
  readonly tunnel?: LabTunnel;
  readonly policies: readonly PolicyRoute[];
  readonly guard?: boolean;
}

interface LabTunnel {
  readonly type: RemoteType;
  /** Unique in the lab for its type. */
  readonly id: number;
  /** Family that carries it. */
  readonly family: 4 | 6;
}

/** What the agent of a host is asked for when it runs. */
export interface LabAttachment {
  readonly host: string;
  /** The workload, `host/workload`. Absent: it is of none. */
  readonly place?: string;
  readonly wish: Wish;
}

/** The processes of a lab. */
export interface LabMesh {
  /** Hosts that run a registry, the first one for those that have none of their own. */
  readonly registries: readonly string[];
  /** URL of the registries' store. Absent: a file of the lab's own. */
  readonly store?: string;
  readonly agents: readonly LabAgent[];
  readonly attachments: readonly LabAttachment[];
}

export interface LabAgent {
  readonly host: string;
  /** Under which the other hosts reach this one, one for each family that all of them have. Empty: it is the only one. */
  readonly addresses: readonly string[];
  /** The smallest MTU on the way to and from any of the others. */
  readonly underlayMtuBytes: number;
  /** May the namespace of the host be a workload? */
  readonly allowHostWorkload: boolean;
  /** Where it finds the registries, the preferred one first. */
  readonly registryAddresses: readonly string[];
}

export interface Lab {
  readonly name: string;
  readonly hosts: readonly LabHost[];
  readonly routers: readonly string[];
  readonly links: readonly LabLink[];
  readonly wires: readonly LabWire[];
  /** Absent: no process runs, and the wires are made by the command. */
  readonly mesh?: LabMesh;
}

/** The name under which people know one side of a wire: `host/workload/interface`. */
export function sideName(side: WireSide): string {
  return `${side.host}/${side.workload}/${side.interface}`;
}
