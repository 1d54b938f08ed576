/** All that is known of one type of mechanism. A new one is a folder with a `MechanismType`, and an entry of `list.ts`. */
import type { z } from "zod";
import type { Check } from "../doctor/check.ts";
import type { Kernel, KernelObject, Netns, Tunnel } from "../kernel/kernel.ts";
import type { Device } from "../kernel/objects.ts";
import type { Server } from "../kernel/guard.ts";
import type { Half, Place, Trust } from "./half.ts";
import type { ParameterMap, Parsed } from "./parameters.ts";
import type { Side } from "./side.ts";

/** `LOCAL` reaches a workload of this host, `REMOTE` another host. Upstream: api/pkg/api/networkservice/mechanisms/cls */
export type MechanismClass = "LOCAL" | "REMOTE";

/** A mechanism of one type as it was read. */
export interface TypedMechanism {
  readonly type: string;
}

/** What is set for a mechanism on a host, by the `key` of its options. */
export type Settings = Readonly<Record<string, number>>;

/** An option of `netloom agent` and `netloom doctor` that takes a whole number. */
export interface HostOption {
  /** Of `Settings`. */
  readonly key: string;
  /** `vxlan-port`: without hyphens in front. */
  readonly name: string;
  /** `port`: what stands for its value in the help. */
  readonly argument: string;
  /** A noun phrase: `UDP port of the tunnels`. */
  readonly about: string;
  readonly default: number;
  readonly least: number;
  readonly most: number;
}

interface CommonType<M extends TypedMechanism> {
  readonly type: M["type"];
  /** How documents call it: `kernel`. */
  readonly document: string;
  readonly options: readonly HostOption[];
  /** Parameters of NSM's message, complete as they are in an answer. */
  read(parameters: ParameterMap): Parsed<M>;
  /** `read` of it gives the mechanism again. */
  write(mechanism: M): Record<string, string>;
  /** Why no half can be made of it, in whole sentences. */
  problems(mechanism: M, side: Side): string[];
  /** The largest packet that it carries; `undefined` where it says nothing. */
  mtuBytes(mechanism: M): number | undefined;
  half(mechanism: M, place: Place): Half;
  /** The name of the carrier in the path of a wire: `veth`, `vxlan`. */
  readonly carrier: string;
}

/** Where a workload is, as whoever looks after it has found it. */
export interface WorkloadPlace {
  readonly netns: Netns;
  /** The device there that is the workload. Absent: the namespace is. */
  readonly port?: WorkloadPort | undefined;
}

/** A device that is there already. */
interface WorkloadPort {
  readonly device: string;
  readonly index: number;
}

/** What a workload's owner wants of the device. */
export interface DeviceWish extends Trust {
  /** Empty: whoever makes it chooses. */
  readonly name: string;
  /** The workload's kernel forwards what comes in by it. Default: as the namespace has it. */
  readonly forwarding?: boolean | undefined;
  /** The routes of the wire hold for packets from these prefixes only. Default: for all that the workload sends. */
  readonly sources?: readonly string[] | undefined;
}

/** The device that a workload sees. */
export interface WorkloadDevice {
  readonly netns: Netns;
  readonly interfaceName: string;
  /** As of `DeviceWish`. */
  readonly sources?: readonly string[];
}

/** A device of a workload of this host. */
export interface LocalType<M extends TypedMechanism = TypedMechanism> extends CommonType<M> {
  readonly cls: "LOCAL";
  /** A client's preference as the forwarder takes it. `newName` makes one for a device that has none. */
  accept(offered: ParameterMap, newName: () => string): Record<string, string>;
  /** What is asked for a workload there, "" for what is not; `undefined` where this type is not for such a place. */
  forWorkload(place: WorkloadPlace, wish: DeviceWish): Record<string, string> | undefined;
  /** The device that the workload sees, or is. */
  device(mechanism: M): WorkloadDevice;
  /** What the other end of the wire may be for the workload. */
  servedBy(mechanism: M): readonly Server[];
  /**
   * Of a type whose devices are there already, and are somebody else's: the parameters with what the kernel says of the device.
   * Nothing of it is ours to set, and MACs behind it are asked for. FAILED_PRECONDITION for one that no wire can end in.
   */
  borrow?(mechanism: M, kernel: BorrowingKernel): Promise<Record<string, string>>;
}

/** What is asked of the kernel about devices that are there. */
export type BorrowingKernel = Pick<Kernel, "devices" | "resolve">;

/** A number that a tunnel has for itself on both of its hosts. */
export interface Identifier {
  /** The parameter, and its key in documents: `vni`. */
  readonly key: string;
  /** `VNI` */
  readonly noun: string;
  /** The first one that is drawn by chance: those before are for people. */
  readonly firstDrawn: number;
  /** The last one that is: those after it are for what has many members. */
  readonly lastDrawn: number;
  /** The largest one; the smallest is 1. */
  readonly last: number;
  /** Whether this kernel object has the identifier. */
  isHeldBy(object: KernelObject, id: number): boolean;
}

/** What a host has for tunnels of one type. */
export interface TunnelHost {
  /** Of its VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  readonly settings: Settings;
}

/** What people say of a tunnel, instead of two hosts that negotiate it. */
export interface TunnelFacts {
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly id: number;
  readonly underlayMtuBytes: number;
}

/** A tunnel as its devices tell of it. */
export interface FoundTunnel {
  readonly type: string;
  /** The side of the wire that it leads to. */
  readonly side: Side | undefined;
  readonly id: number;
  readonly local: string;
  readonly remote: string;
  readonly parameters: Record<string, string>;
}

/** A tunnel to another host, between two addresses. */
export interface RemoteType<M extends TypedMechanism = TypedMechanism> extends CommonType<M> {
  readonly cls: "REMOTE";
  readonly identifier: Identifier;
  /** IFLA_INFO_KIND of what it makes in the host, for programs that manage devices. */
  readonly deviceKinds: readonly string[];
  /** Its keys in the wires of a lab file. */
  readonly labKeys: Readonly<Record<string, z.ZodType>>;
  /** Looks for what is in its way on a machine. */
  readonly check: Check;
  /** Bytes that it puts in front of a packet. */
  overheadBytes(family: 4 | 6): number;
  /** Of the tunnels to this host; `undefined` if it uses none. */
  udpPort(settings: Settings): number | undefined;
  /** The near side's preferences, without identifier and MTU: one for each family that the host has, best first. */
  offers(host: TunnelHost): Record<string, string>[];
  /** The far side's answer to one of them, with the MTU as it was offered. INVALID_ARGUMENT if there can be no such tunnel to this host. */
  accept(offered: ParameterMap, host: TunnelHost): Record<string, string>;
  /** VTEPs of the client's and of the endpoint's host. */
  vteps(mechanism: M): { readonly source: string; readonly destination: string };
  /** Its identifier. */
  idOf(mechanism: M): number;
  /** Why it carries no more: `an underlay of 1300 bytes leaves after VXLAN over IPv4`. */
  whyMtu(mechanism: M): string;
  tunnel(facts: TunnelFacts): M;
  /** Those of this type among the objects of one wire. */
  found(objects: readonly KernelObject[]): FoundTunnel[];
  /** Likewise, those that an earlier version has made as devices: each with its device. */
  former(objects: readonly KernelObject[]): (readonly [FoundTunnel, Device])[];
  /** In the place of what tunnels share, which are among `objects`, while its ports have to be free. */
  standIns(objects: readonly KernelObject[]): readonly KernelObject[];
  /** The device that release 0.1.0 has had for a tunnel towards `side`. */
  formerDevice(
    tunnel: Tunnel,
    at: Pick<Place, "connectionId" | "side" | "mtuBytes"> & { readonly mac: string },
  ): Device;
}

export type MechanismType<M extends TypedMechanism = TypedMechanism> = LocalType<M> | RemoteType<M>;

/** What a type's mechanisms are. */
export type MechanismOf<T> = T extends { read(parameters: ParameterMap): Parsed<infer M> } ? M : never;
