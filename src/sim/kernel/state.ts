/** The data structures of a simulated machine. Entries reference each other, as in the kernel. */
import type { DropBook } from "./drop-book.ts";
import type { AttachedObject, Device } from "../../kernel/objects.ts";
import type {
  Address,
  KernelErrorDetails,
  LinkFacts,
  Netns,
  Program,
  Route,
  Rule,
} from "../../kernel/kernel.ts";

export interface SimNetns {
  /** `/run/netns/a`, or `/proc/7/ns/net`. */
  readonly path: string;
  readonly identity: `inode://${string}`;
  /** Never reused, unlike the inode. */
  readonly cookie: string;
  isAlive: boolean;
  readonly devices: Map<string, SimDevice>;
  readonly routes: Set<SimRoute>;
  readonly rules: Set<SimRule>;
  readonly sysctls: Map<string, string>;
}

export interface SimDevice {
  readonly kind: Device["kind"] | "uplink" | "cable";
  /** Sends a frame out of the device, which is up. */
  readonly transmit: Transmit;
  readonly netns: SimNetns;
  name: string;
  /** Unique on the machine, unlike in Linux. */
  readonly index: number;
  mac: string;
  mtuBytes: number;
  alias: string;
  /** While up, the device has the link-local address for its MAC. */
  linkLocal: boolean;
  /** Another program has removed the route of the link-local address. */
  lacksLinkLocal: boolean;
  readonly group: number;
  isUp: boolean;
  /** The far end of a veth pair. */
  peer: SimDevice | undefined;
  readonly tunnel: SimTunnel | undefined;
  /** The UDP port of a VXLAN device in metadata mode. */
  readonly externalPort: number | undefined;
  /** Uplinks of one fabric share a flat segment. */
  readonly fabric: string | undefined;
  /** The name of its bridge. */
  master: string | undefined;
  readonly addresses: Set<SimAddress>;
  readonly neighbors: Map<string, SimNeighbor>;
  program: SimProgram | undefined;
  /** Counters of entered frames. */
  readonly received: { packets: number; bytes: number };
  /** Objects that no packet depends on, by identity. */
  readonly kept: Map<string, KeptObject>;
  /** The kernel is deleting the device, and frees its name at this time (monotonic milliseconds). */
  goneAtMs: number | undefined;
  /** Removed by its owner, so hidden from `observe`. */
  isDoomed: boolean;
  /** The name and the reported properties in the last notification. */
  told: { readonly name: string; readonly digest: string } | undefined;
}

/** The state of a device with nothing on it. */
export function bare(): Pick<
  SimDevice,
  | "peer"
  | "master"
  | "addresses"
  | "neighbors"
  | "program"
  | "received"
  | "kept"
  | "goneAtMs"
  | "isDoomed"
  | "told"
  | "lacksLinkLocal"
> {
  return {
    master: undefined,
    peer: undefined,
    addresses: new Set(),
    neighbors: new Map(),
    program: undefined,
    received: { packets: 0, bytes: 0 },
    kept: new Map(),
    goneAtMs: undefined,
    isDoomed: false,
    told: undefined,
    lacksLinkLocal: false,
  };
}

/** The machine, for all code that acts on it. */
export interface Machinery {
  /** VXLAN devices, by their exclusive key (`deviceIn`). */
  readonly tunnels: Map<string, SimDevice>;
  /** Devices whose tunnels accept packets with these outer headers (`arrivalIn`). */
  readonly arrivals: Map<string, SimDevice>;
  readonly uplinks: Set<SimDevice>;
  readonly drops: DropBook;
  readonly dying: Set<SimDevice>;
  readonly deletionMs: number;
  nowMs(): number;
  /** The index of a new device. */
  nextIndex(): number;
  /** Sends a notification to all watches of the namespace, at `dueMs` (default: now). */
  announce(netns: SimNetns, news: KernelNews, dueMs?: number): void;
}

/** A notification about a namespace. The listener knows its name. */
export type KernelNews =
  | {
      readonly type: "link";
      readonly link: string;
      readonly change: "new" | "changed" | "removed";
      readonly facts?: Omit<LinkFacts, "isOurs"> & { readonly group: number };
      readonly formerly?: string;
    }
  | {
      readonly type: "address";
      readonly link: string;
      readonly change: "new" | "removed";
      readonly address: string;
    }
  | {
      readonly type: "route" | "neighbor" | "program";
      readonly change: "new" | "removed";
      readonly link?: string;
      /** The protocol number of the owner's mark. */
      readonly protocol: number;
      /** The group of the device, for a route of the kernel: its loss concerns the owner of the device. */
      readonly group?: number;
      /** The kernel that made the change; `undefined` for another program. */
      readonly by: unknown;
    }
  | { readonly type: "netns-removed" };

/** A packet on its way. */
export interface Packet {
  /** A link-local address includes its link: `fe80::1%nl-1`. */
  readonly to: string;
  /** The source address given by the caller. Matters to rules and guards. */
  readonly source?: string;
  /** The source address chosen by the first namespace if the caller gave none. Matters to guards only. */
  readonly chosen?: string;
  /** Size of the frame. 0 for a query, which is not counted. */
  readonly bytes: number;
}

export interface Frame {
  readonly packet: Packet;
  /** The address of the next hop. `mac` is its MAC, if the sender has a neighbour entry for it. */
  readonly nexthop: string;
  readonly mac: string | undefined;
}

/** The namespace that accepted a packet, and the link that it arrived on (`lo` if it never left). */
export interface Arrival {
  readonly netns: SimNetns;
  readonly link: string;
}

/** Moves frames between devices. */
export interface Journey {
  readonly machine: Machinery;
  /** A frame enters a device: its program first, then the stack of the namespace. */
  enter(device: SimDevice, frame: Frame): Arrival | undefined;
  /** A frame leaves by a device. */
  transmit(device: SimDevice, frame: Frame): Arrival | undefined;
  /** Sends a separate packet from a namespace, such as the outer packet of a tunnel. */
  apart(netns: SimNetns, packet: Packet): Arrival | undefined;
}

/** `undefined`: the frame is dropped on the way. */
export type Transmit = (journey: Journey, frame: Frame, device: SimDevice) => Arrival | undefined;

interface SimTunnel {
  readonly vni: number;
  readonly port: number;
  readonly family: 4 | 6;
  /** The namespace of the UDP socket. */
  readonly underlay: SimNetns;
  local: string;
  remote: string;
}

export interface SimAddress extends Pick<Address, "address" | "peer"> {
  readonly protocol: number;
  readonly family: 4 | 6;
  /** False for an IPv6 peer added while the link was down: Linux then routes only the address itself. */
  readonly hasPeerRoute: boolean;
  /** Another program has removed the kernel's route of the address. */
  lacksRoute: boolean;
}

export interface SimRoute extends Omit<Route, "kind" | "netns" | "link" | "table" | "metric"> {
  readonly device: SimDevice;
  readonly family: 4 | 6;
  readonly table: number;
  readonly metric: number;
  readonly protocol: number;
  /** RTAX_MTU of a foreign route. */
  readonly mtuBytes?: number;
}

export interface SimRule extends Omit<Rule, "kind" | "netns"> {
  readonly protocol: number;
}

interface SimNeighbor {
  readonly address: string;
  readonly mac: string;
  readonly protocol: number;
}

interface KeptObject {
  readonly object: AttachedObject;
  readonly protocol: number;
}

interface SimProgram {
  readonly wanted: Program;
  readonly target: SimDevice | undefined;
  /** The directory of pins, which identifies the owner of the program. */
  readonly pins: string;
  /** For a tunnel: counters of packets that came out of it. */
  readonly arrived?: { packets: number; bytes: number };
  packets: number;
  bytes: number;
}

/** A refused operation. Becomes a `KernelError` where the number of the operation is known. */
export class Refused extends Error {
  readonly errno: string;
  readonly details: Pick<KernelErrorDetails, "at" | "reason">;

  constructor(errno: string, words: string, details: Pick<KernelErrorDetails, "at" | "reason"> = {}) {
    super(words);
    this.errno = errno;
    this.details = details;
  }
}

/** The URL of the namespace at a path. */
export function urlOf(path: string): Netns {
  return `file://${path}`;
}
