/** The definition of one type of mechanism. A new type is a folder with a `MechanismType`, and an entry of `list.ts`. */
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

/** A parsed mechanism of one type. */
export interface TypedMechanism {
  readonly type: string;
}

/** A host's settings for a mechanism, by the `key` of its options. */
export type Settings = Readonly<Record<string, number>>;

/** An option of `netloom agent` and `netloom doctor` that takes a whole number. */
export interface HostOption {
  /** The key in `Settings`. */
  readonly key: string;
  /** `vxlan-port`: without hyphens in front. */
  readonly name: string;
  /** `port`: the placeholder of its value in the help. */
  readonly argument: string;
  /** A noun phrase: `UDP port of the tunnels`. */
  readonly about: string;
  readonly default: number;
  readonly least: number;
  readonly most: number;
}

interface CommonType<M extends TypedMechanism> {
  readonly type: M["type"];
  /** The type's name in documents: `kernel`. */
  readonly document: string;
  readonly options: readonly HostOption[];
  /** Parses the parameters of an NSM message, complete as in an answer. */
  read(parameters: ParameterMap): Parsed<M>;
  /** The inverse of `read`. */
  write(mechanism: M): Record<string, string>;
  /** The reasons why no half can be made of the mechanism, in whole sentences. */
  problems(mechanism: M, side: Side): string[];
  /** The largest packet that the mechanism carries, in bytes; `undefined` if it sets no limit. */
  mtuBytes(mechanism: M): number | undefined;
  half(mechanism: M, place: Place): Half;
  /** The name of the carrier in the path of a wire: `veth`, `vxlan`. */
  readonly carrier: string;
}

/** The place where a workload was found. */
export interface WorkloadPlace {
  readonly netns: Netns;
  /** The device that is the workload. Absent: the whole namespace is. */
  readonly port?: WorkloadPort | undefined;
}

/** A device that exists already. */
interface WorkloadPort {
  readonly device: string;
  readonly index: number;
}

/** The device that a workload's owner requests. */
export interface DeviceRequest extends Trust {
  /** Empty: the maker of the device chooses. */
  readonly name: string;
  /** The workload's kernel forwards packets that arrive on the device. Default: as the namespace is set. */
  readonly forwarding?: boolean | undefined;
  /** The routes of the wire apply only to packets from these prefixes. Default: to all packets of the workload. */
  readonly sources?: readonly string[] | undefined;
}

/** The device that a workload sees. */
export interface WorkloadDevice {
  readonly netns: Netns;
  readonly interfaceName: string;
  /** As in `DeviceRequest`. */
  readonly sources?: readonly string[];
}

/** A device of a workload of this host. */
export interface LocalType<M extends TypedMechanism = TypedMechanism> extends CommonType<M> {
  readonly cls: "LOCAL";
  /** Completes a client's preference for the forwarder. `newName` makes a name for a device that has none. */
  accept(offered: ParameterMap, newName: () => string): Record<string, string>;
  /** The parameters for a workload at `place`, "" for those that are not set; `undefined` if this type does not fit the place. */
  forWorkload(place: WorkloadPlace, requested: DeviceRequest): Record<string, string> | undefined;
  /** The device that the workload sees, or that is the workload. */
  device(mechanism: M): WorkloadDevice;
  /** The servers that the other end of the wire may be for the workload. */
  servedBy(mechanism: M): readonly Server[];
  /**
   * For a type with borrowed devices: returns the parameters completed with the kernel's facts about the device. Netloom changes
   * nothing of the device, and MACs behind it are resolved by ARP or ND. FAILED_PRECONDITION for a device that no wire can end
   * in.
   */
  borrow?(mechanism: M, kernel: BorrowingKernel): Promise<Record<string, string>>;
}

/** The kernel's queries about existing devices. */
export type BorrowingKernel = Pick<Kernel, "devices" | "resolve">;

/** A number that identifies a tunnel on both of its hosts. */
export interface Identifier {
  /** The parameter's name, and its key in documents: `vni`. */
  readonly key: string;
  /** `VNI` */
  readonly noun: string;
  /** The first number to be drawn at random: smaller ones are left to people. */
  readonly firstDrawn: number;
  /** The last number to be drawn at random: larger ones are for tunnels with many members. */
  readonly lastDrawn: number;
  /** The largest number; the smallest is 1. */
  readonly last: number;
  /** Whether this kernel object has the identifier. */
  isHeldBy(object: KernelObject, id: number): boolean;
}

/** A host's data for tunnels of one type. */
export interface TunnelHost {
  /** Addresses of the host's VTEPs, one per family, best first. */
  readonly addresses: readonly string[];
  readonly settings: Settings;
}

/** The facts of a tunnel that people configure, instead of a negotiation between two hosts. */
export interface TunnelFacts {
  readonly sourceIp: string;
  readonly destinationIp: string;
  readonly id: number;
  readonly underlayMtuBytes: number;
}

/** A tunnel as read from its kernel objects. */
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
  /** IFLA_INFO_KIND of the type's devices in the host, for programs that manage devices. */
  readonly deviceKinds: readonly string[];
  /** The type's keys for wires in a lab file. */
  readonly labKeys: Readonly<Record<string, z.ZodType>>;
  /** A doctor's check for anything that blocks the type on a machine. */
  readonly check: Check;
  /** Bytes that a tunnel adds in front of a packet. */
  overheadBytes(family: 4 | 6): number;
  /** UDP port of the tunnels to this host; `undefined` if the type uses none. */
  udpPort(settings: Settings): number | undefined;
  /** The near side's preferences, without identifier and MTU: one for each family that the host has, best first. */
  offers(host: TunnelHost): Record<string, string>[];
  /**
   * The far side's answer to one of them, with the MTU as offered. INVALID_ARGUMENT if no such tunnel to this host is possible.
   */
  accept(offered: ParameterMap, host: TunnelHost): Record<string, string>;
  /** VTEPs of the client's and of the endpoint's host. */
  vteps(mechanism: M): { readonly source: string; readonly destination: string };
  /** The identifier of its tunnel. */
  idOf(mechanism: M): number;
  /** The reason for the tunnel's MTU: `an underlay of 1300 bytes leaves after VXLAN over IPv4`. */
  whyMtu(mechanism: M): string;
  tunnel(facts: TunnelFacts): M;
  /** The tunnels of this type among the objects of one wire. */
  found(objects: readonly KernelObject[]): FoundTunnel[];
  /** The tunnels that an earlier version made as devices, among the objects of one wire: each with its device. */
  former(objects: readonly KernelObject[]): (readonly [FoundTunnel, Device])[];
  /** Objects that replace the shared tunnel objects among `objects` while their ports have to be free. */
  standIns(objects: readonly KernelObject[]): readonly KernelObject[];
  /** The device that release 0.1.0 made for a tunnel towards `side`. */
  formerDevice(
    tunnel: Tunnel,
    at: Pick<Place, "connectionId" | "side" | "mtuBytes"> & { readonly mac: string },
  ): Device;
}

export type MechanismType<M extends TypedMechanism = TypedMechanism> = LocalType<M> | RemoteType<M>;

/** The type of a mechanism type's mechanisms. */
export type MechanismOf<T> = T extends { read(parameters: ParameterMap): Parsed<infer M> } ? M : never;
