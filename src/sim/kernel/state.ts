/** What a simulated machine is made of. Entries point at each other as the kernel's structures do. */
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
  /** Unlike the inode it is never used again. */
  readonly cookie: string;
  isAlive: boolean;
  readonly devices: Map<string, SimDevice>;
  readonly routes: Set<SimRoute>;
  readonly rules: Set<SimRule>;
  readonly sysctls: Map<string, string>;
}

export interface SimDevice {
  readonly kind: Device["kind"] | "uplink" | "cable";
  /** Out of it, while it is up. */
  readonly transmit: Transmit;
  readonly netns: SimNetns;
  name: string;
  /** Unlike Linux' it is unique on the machine. */
  readonly index: number;
  mac: string;
  mtuBytes: number;
  alias: string;
  /** It has the address that follows from its MAC while it is up. */
  linkLocal: boolean;
  /** Somebody has taken away the route to its neighbours. */
  lacksLinkLocal: boolean;
  readonly group: number;
  isUp: boolean;
  /** The far end of a veth pair. */
  peer: SimDevice | undefined;
  readonly tunnel: SimTunnel | undefined;
  /** Of a VXLAN device in metadata mode: its UDP port. */
  readonly externalPort: number | undefined;
  /** Uplinks of one fabric share a flat segment. */
  readonly fabric: string | undefined;
  /** Of a bridge: its name. */
  master: string | undefined;
  readonly addresses: Set<SimAddress>;
  readonly neighbors: Map<string, SimNeighbor>;
  program: SimProgram | undefined;
  /** What has entered. */
  readonly received: { packets: number; bytes: number };
  /** By identity, what no packet meets. */
  readonly kept: Map<string, KeptObject>;
  /** The kernel is at work on its removal, and its name is free from this moment on (monotonic milliseconds). */
  goneAtMs: number | undefined;
  /** Removed by its owner, hence unseen by `observe`. */
  isDoomed: boolean;
  /** What was last told of it: its name, and all that is a fact. */
  told: { readonly name: string; readonly digest: string } | undefined;
}

/** A device with nothing on it. */
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

/** What all who act on a machine share. */
export interface Machinery {
  /** Tunnel devices, by what each has for itself (`deviceIn`). */
  readonly tunnels: Map<string, SimDevice>;
  /** Devices whose tunnels take in what comes with these outer headers (`arrivalIn`). */
  readonly arrivals: Map<string, SimDevice>;
  readonly uplinks: Set<SimDevice>;
  readonly drops: DropBook;
  readonly dying: Set<SimDevice>;
  readonly deletionMs: number;
  nowMs(): number;
  /** Of a new device. */
  nextIndex(): number;
  /** Tells everybody who watches the namespace, at `dueMs` (default: now). */
  announce(netns: SimNetns, news: KernelNews, dueMs?: number): void;
}

/** What there is to say about a namespace; the listener knows its name. */
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
      /** Whose mark it bears. */
      readonly protocol: number;
      /** The kernel's own is lost to who has made the device. */
      readonly group?: number;
      /** Who has done it. */
      readonly by: unknown;
    }
  | { readonly type: "netns-removed" };

/** A packet under way. */
export interface Packet {
  /** A link-local address with its link: `fe80::1%nl-1`. */
  readonly to: string;
  /** As whoever asks says it: matters to rules and guards. */
  readonly source?: string;
  /** What its first namespace has chosen, where nobody said it: matters to guards only. */
  readonly chosen?: string;
  /** Size of the frame; 0 asks without being counted. */
  readonly bytes: number;
}

export interface Frame {
  readonly packet: Packet;
  /** Whose device the frame is for; its MAC is `mac`, if the sender need not ask. */
  readonly nexthop: string;
  readonly mac: string | undefined;
}

/** Where a packet was taken in: the namespace that has the address, and the link that it came in by (`lo` if it never left). */
export interface Arrival {
  readonly netns: SimNetns;
  readonly link: string;
}

/** What a device may do with a frame. */
export interface Journey {
  readonly machine: Machinery;
  /** In by a device: its program first, then the namespace's own stack. */
  enter(device: SimDevice, frame: Frame): Arrival | undefined;
  /** Out by a device. */
  transmit(device: SimDevice, frame: Frame): Arrival | undefined;
  /** A packet of its own, from a namespace. */
  apart(netns: SimNetns, packet: Packet): Arrival | undefined;
}

/** `undefined`: the frame is dropped on the way. */
export type Transmit = (journey: Journey, frame: Frame, device: SimDevice) => Arrival | undefined;

interface SimTunnel {
  readonly vni: number;
  readonly port: number;
  readonly family: 4 | 6;
  /** Where the UDP socket is. */
  readonly underlay: SimNetns;
  local: string;
  remote: string;
}

export interface SimAddress extends Pick<Address, "address" | "peer"> {
  readonly protocol: number;
  readonly family: 4 | 6;
  /** An IPv6 peer that was given while the link was down is not on the link: Linux routes only the address itself. */
  readonly hasPeerRoute: boolean;
  /** Somebody has taken away the route that the kernel makes for it. */
  lacksRoute: boolean;
}

export interface SimRoute extends Omit<Route, "kind" | "netns" | "link" | "table" | "metric"> {
  readonly device: SimDevice;
  readonly family: 4 | 6;
  readonly table: number;
  readonly metric: number;
  readonly protocol: number;
  /** RTAX_MTU, of a stranger's route. */
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
  /** Directory of the pin: whose program it is. */
  readonly pins: string;
  /** Of a tunnel: what has come out of it. */
  readonly arrived?: { packets: number; bytes: number };
  packets: number;
  bytes: number;
}

/** Why an operation cannot be: becomes a `KernelError` where the operation's number is known. */
export class Refused extends Error {
  readonly errno: string;
  readonly details: Pick<KernelErrorDetails, "at" | "reason">;

  constructor(errno: string, words: string, details: Pick<KernelErrorDetails, "at" | "reason"> = {}) {
    super(words);
    this.errno = errno;
    this.details = details;
  }
}

/** The namespace at a path, as its URL. */
export function urlOf(path: string): Netns {
  return `file://${path}`;
}
