/**
 * The kernel as data: what a host's network is made of, and the few verbs that change it.
 *
 * Everything here is plain, serialisable data, so that the carrier of a `Kernel` may be the simulator, a worker thread
 * or another process. Addresses, prefixes and MACs are canonical strings (src/net), times are milliseconds.
 */
import type { Watch } from "../async/watch.ts";
import { NetloomError, type ErrorCode, type ErrorDetails, type Topic } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import type { Drops } from "./drops.ts";
import type { KernelEvent, WatchPurpose } from "./events.ts";
import type { Netns, OnLink } from "./link.ts";
import type { Step } from "./object-kind.ts";
import type { KernelObject } from "./objects.ts";
import type { AddressQuery, OwnAddress, Way, WayQuery } from "./way.ts";

export {
  isServedBy,
  type KernelEvent,
  type LinkEvent,
  type LinkFacts,
  purposeOf,
  WATCH_PURPOSES,
  type WatchPurpose,
} from "./events.ts";
export { type Drops, NO_DROPS } from "./drops.ts";
export type { LinkEnd, Netns, OnLink } from "./link.ts";
export type { Tunnel } from "./tunnel.ts";
export { LAB_MARK, MESH_MARK, type OwnerMark } from "./mark.ts";
export type { KernelObject } from "./objects.ts";
export type { Address } from "./objects/address.ts";
export type { ExternalVxlan } from "./objects/external-vxlan.ts";
export type { Neighbor } from "./objects/neighbor.ts";
export type { Program } from "./objects/program.ts";
export type { Qdisc } from "./objects/qdisc.ts";
export type { Route } from "./objects/route.ts";
export type { Rule } from "./objects/rule.ts";
export type { Sysctl } from "./objects/sysctl.ts";
export type { Up } from "./objects/up.ts";
export type { Veth } from "./objects/veth.ts";
export type { Vxlan } from "./objects/vxlan.ts";
export type { AddressQuery, OwnAddress, ReachableWay, Way, WayHop, WayQuery } from "./way.ts";

/**
 * One change. `add` wants the object to be absent, `change` brings the existing object from `from` to `object` (same
 * identity; or a device with other names, which a kernel before 6.2 refuses while it is up), `remove` of what is not there is a success. A device that has another alias is another owner's by now: it is
 * not there.
 */
export type Operation = Step<KernelObject>;

/** Where a failpoint strikes: around the operation with this number, as an error or as the death of the carrier. */
export interface Failpoint {
  readonly operation: number;
  readonly when: "before" | "after";
  readonly how: "error" | "crash";
}

export interface ApplyOptions {
  /** For tests of the undo. */
  readonly failpoint?: Failpoint;
}

/** What `observe` looks at: all that is marked as ours in a namespace, or only what hangs on the named links. */
export interface ObserveQuery {
  readonly netns: Netns;
  readonly links?: readonly string[];
  /**
   * Of a pair only the end here matters: the namespace of the other one may come as `inode://0/0`. To find its name costs as
   * much as there are namespaces.
   */
  readonly nearEndsOnly?: true;
}

/** A namespace as the kernel knows it. `cookie` is unique until the next boot, unlike the inode (SO_NETNS_COOKIE). */
export interface NetnsIdentity {
  readonly netns: `inode://${string}`;
  readonly cookie: string;
}

/** What a namespace has without us: that is to stay reachable, whatever wires it gets. */
export interface NativeNetwork {
  readonly identity: NetnsIdentity["netns"];
  /** Own addresses with the prefix length of their network; with the peer's, where there is one. */
  readonly addresses: readonly string[];
  /** Of the main table. Those that the kernel makes for addresses may be among them. */
  readonly routes: readonly { readonly destination: string; readonly via?: string }[];
}

export interface NativeQuery {
  readonly netns: Netns;
  /**
   * Addresses with their full prefix length: only what is one of them, or leads there. The cost of that does not grow with
   * what is there. Default: everything.
   */
  readonly near?: readonly string[];
}

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

/** Asks what has entered a link: counted by its `wire` program if it has one, else by the device itself. */
export interface CounterQuery {
  readonly netns: Netns;
  readonly link: string;
  /** Instead: what has come out of the tunnel of the link. */
  readonly isArrived?: true;
}

/** A device as it is, whoever has made it. */
export interface PortFacts {
  /** Of another device of that name it is another one. */
  readonly index: number;
  readonly mtuBytes: number;
  /** IFF_UP: its owner has set it up. */
  readonly isUp: boolean;
  /** IFF_LOWER_UP: there is somebody at its other end, such as a cable or the program that has a TAP open. */
  readonly hasCarrier: boolean;
  /** ARPHRD_ETHER: its frames have MAC addresses. */
  readonly isEthernet: boolean;
  /** It bears our mark. */
  readonly isOurs: boolean;
  /** What the kernel calls its sort: `veth`, `tun`, `macvtap`. Absent: hardware, loopback. */
  readonly sort?: string;
  /** The bridge, bond or VRF that it is a member of; its index where it has no name here. */
  readonly master?: string;
  /** Its addresses, without the link-local ones that the kernel makes for every device. */
  readonly addresses: readonly string[];
}

/**
 * A host's kernel.
 *
 * Guarantees:
 * - `apply` runs the operations in order. If one fails, those before it are undone in reverse, and the promise rejects
 *   with a `KernelError` that names the operation. A device is really removed only when the whole batch has succeeded, so
 *   nothing but removals of devices may follow the removal of one (an assertion).
 * - `apply` answers when the change is in force. Only the removal of links goes on behind: a removed link is unseen by
 *   `observe` at once, and its name and VNI are free for the next `apply` (which may wait for it), but the kernel needs
 *   20-100 ms to free a device. By addresses and routes that its batch removes with it, it draws no packet once another
 *   batch makes something in that namespace. `settle` waits for that. A mark in the kernel finishes the job after a crash.
 * - Batches that touch the same namespace run one after the other; others may run side by side.
 * - `observe` returns only what carries our mark (link group, protocol number), as objects in the form in which `add`
 *   takes them, with every namespace named as it was in the query.
 * - If the carrier dies in a batch, the promise rejects with `ABORTED`; what was done is still there: observe, diff, apply.
 * - At rest nothing of it holds a namespace alive, except for `host`.
 */
export interface Kernel {
  apply(batch: readonly Operation[], options?: ApplyOptions): Promise<void>;
  observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]>;
  /**
   * All that is in a namespace without our mark, and not on a device of ours either. In the order of the queries; `undefined`
   * for a namespace that is gone.
   */
  nativeNetworks(queries: readonly NativeQuery[]): Promise<(NativeNetwork | undefined)[]>;
  /** In the order of the queries; `undefined` for a link that is not there. */
  counters(queries: readonly CounterQuery[]): Promise<(Counters | undefined)[]>;
  /** What is there under these names. In the order of the queries; `undefined` for a device that is not there. */
  devices(queries: readonly OnLink[]): Promise<(PortFacts | undefined)[]>;
  /** What the kernel would do with such packets now. In the order of the queries; `undefined` for a namespace that is gone. */
  ways(queries: readonly WayQuery[]): Promise<(Way | undefined)[]>;
  /** In the order of the queries; `undefined` for an address that is not there. */
  addresses(queries: readonly AddressQuery[]): Promise<(OwnAddress | undefined)[]>;
  /** What the programs of this host have dropped. */
  drops(): Promise<Drops>;
  /** Finds out which namespace `netns` names now, and remembers where it was found. NOT_FOUND if there is none. */
  resolve(netns: Netns): Promise<NetnsIdentity>;
  /** Events of `host` and of every namespace resolved or used so far. Default: `everything`. */
  watch(purpose?: WatchPurpose): Watch<KernelEvent>;
  /** Resolves when nothing that was removed is left in the kernel. */
  settle(): Promise<void>;
}

/** A namespace, or a device in one. */
export interface KernelPlace {
  readonly netns: Netns;
  readonly link?: string;
}

export interface KernelErrorDetails extends ErrorDetails {
  /** Symbolic errno: `EEXIST`. */
  readonly errno?: string;
  /** Number of the operation in its batch. */
  readonly operation?: number;
  /** The kernel's reason in words: the end of the message, behind the errno. */
  readonly words?: string;
  /** The namespace that is missing, or the device that is in the way. */
  readonly at?: KernelPlace;
}

/**
 * A refusal of the kernel: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1: EEXIST: route exists`. Its reason is
 * KERNEL_REFUSED if it has an errno and no other reason is given.
 */
export class KernelError extends NetloomError {
  override readonly name: string = "KernelError";
  readonly errno: string | undefined;
  readonly operation: number | undefined;
  readonly words: string | undefined;
  readonly at: KernelPlace | undefined;

  constructor(code: ErrorCode, message: string, details: KernelErrorDetails = {}) {
    const { errno, operation, words, at, ...rest } = details;
    const refused = errno === undefined ? undefined : reason("KERNEL_REFUSED", { errno });
    super(code, message, { topic: topicOf(code), ...rest, reason: rest.reason ?? refused });
    this.errno = errno;
    this.operation = operation;
    this.words = words;
    this.at = at;
  }
}

/** "You may not" and "this kernel cannot" are answered differently from "not as things are". */
function topicOf(code: ErrorCode): Topic {
  if (code === "PERMISSION_DENIED") return "NL-103";
  return code === "UNIMPLEMENTED" ? "NL-402" : "NL-401";
}
