/**
 * The kernel as data: the objects of a host's network, and the few verbs that change them.
 *
 * Everything here is plain, serialisable data, so that the implementation of a `Kernel` may be the simulator, a worker
 * thread or another process. Addresses, prefixes and MACs are canonical strings (src/net), times are milliseconds.
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
 * One change. `add` requires that the object is absent. `change` turns the existing object `from` into `object`: the same
 * identity, or a device with other names, which a kernel before 6.2 refuses while the device is up. `remove` of an absent
 * object succeeds. A device with another alias belongs to another owner: it counts as absent.
 */
export type Operation = Step<KernelObject>;

/** Injects a fault around the operation with this number: an error, or a crash of the kernel's implementation. */
export interface Failpoint {
  readonly operation: number;
  readonly when: "before" | "after";
  readonly how: "error" | "crash";
}

export interface ApplyOptions {
  /** For tests of the undo. */
  readonly failpoint?: Failpoint;
}

/** Selects the objects for `observe`: all objects with Netloom's mark in a namespace, or only those on the named links. */
export interface ObserveQuery {
  readonly netns: Netns;
  readonly links?: readonly string[];
  /**
   * Only the near end of a pair matters: the namespace of the far end may be reported as `inode://0/0`. The cost of finding
   * its name grows with the number of namespaces.
   */
  readonly nearEndsOnly?: true;
}

/** The kernel's identity of a namespace. `cookie` is unique until the next boot, unlike the inode (SO_NETNS_COOKIE). */
export interface NetnsIdentity {
  readonly netns: `inode://${string}`;
  readonly cookie: string;
}

/** The network of a namespace without Netloom. It must stay reachable, whatever wires the namespace gets. */
export interface NativeNetwork {
  readonly identity: NetnsIdentity["netns"];
  /** Own addresses with the prefix length of their network, and with the peer's address if there is one. */
  readonly addresses: readonly string[];
  /** Routes of the main table. May include the kernel's routes for addresses. */
  readonly routes: readonly { readonly destination: string; readonly via?: string }[];
}

export interface NativeQuery {
  readonly netns: Netns;
  /**
   * Addresses with full prefix length. Limits the answer to these addresses and the routes to them, at a cost that does not
   * grow with the size of the network. Default: everything.
   */
  readonly near?: readonly string[];
}

export interface Counters {
  readonly packets: number;
  readonly bytes: number;
}

/**
 * Asks for the traffic that has entered a link. The `wire` program counts it if the link has one, otherwise the device
 * does.
 */
export interface CounterQuery {
  readonly netns: Netns;
  readonly link: string;
  /** Counts the traffic that came out of the link's tunnel instead. */
  readonly isArrived?: true;
}

/** The state of a device, whoever has made it. */
export interface PortFacts {
  /** The interface index. It differs from that of an earlier device with the same name. */
  readonly index: number;
  readonly mtuBytes: number;
  /** IFF_UP: the owner has set the device up. */
  readonly isUp: boolean;
  /** IFF_LOWER_UP: the other end is there, such as a cable or the program that has a TAP open. */
  readonly hasCarrier: boolean;
  /** ARPHRD_ETHER: frames have MAC addresses. */
  readonly isEthernet: boolean;
  /** The device has Netloom's mark. */
  readonly isOurs: boolean;
  /** The kernel's device type (IFLA_INFO_KIND): `veth`, `tun`, `macvtap`. Absent for hardware and loopback. */
  readonly sort?: string;
  /** The bridge, bond or VRF that has this device as a member; its index if it has no name in this namespace. */
  readonly master?: string;
  /** The addresses of the device, without the link-local ones that the kernel makes itself. */
  readonly addresses: readonly string[];
}

/**
 * The kernel of a host.
 *
 * Guarantees:
 * - `apply` runs the operations in order. If one fails, the operations before it are undone in reverse, and the promise
 *   rejects with a `KernelError` that names the failed operation. Devices are deleted only when the whole batch has
 *   succeeded, so only removals of devices may follow the removal of a device (an assertion).
 * - `apply` resolves when the change is in force. Only the removal of links continues in the background, because the
 *   kernel needs 20-100 ms to free a device: `observe` no longer reports a removed link, and its name and VNI are free for
 *   the next `apply` (which may wait for them). Once another batch adds something in that namespace, the device attracts no
 *   packets by the addresses and routes that were removed together with it. `settle` waits for all removals. After a
 *   crash, a mark on the device lets the next process finish the removal.
 * - Batches that touch the same namespace run one after the other; others may run side by side.
 * - `observe` returns only objects with Netloom's mark (link group, protocol number), in the form that `add` takes, with
 *   every namespace named as in the query.
 * - If the implementation dies in a batch, the promise rejects with `ABORTED`, and the finished operations stay: observe,
 *   diff, apply.
 * - An idle kernel keeps no namespace alive, except for `host`.
 */
export interface Kernel {
  apply(batch: readonly Operation[], options?: ApplyOptions): Promise<void>;
  observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]>;
  /**
   * The networks of namespaces without Netloom's objects: neither objects with its mark nor objects on its devices. In the
   * order of the queries; `undefined` for a namespace that is gone.
   */
  nativeNetworks(queries: readonly NativeQuery[]): Promise<(NativeNetwork | undefined)[]>;
  /** In the order of the queries; `undefined` for a missing link. */
  counters(queries: readonly CounterQuery[]): Promise<(Counters | undefined)[]>;
  /** The state of the named devices. In the order of the queries; `undefined` for a missing device. */
  devices(queries: readonly OnLink[]): Promise<(PortFacts | undefined)[]>;
  /**
   * The kernel's current routing decisions for packets. In the order of the queries; `undefined` for a namespace that is
   * gone.
   */
  ways(queries: readonly WayQuery[]): Promise<(Way | undefined)[]>;
  /** In the order of the queries; `undefined` for a missing address. */
  addresses(queries: readonly AddressQuery[]): Promise<(OwnAddress | undefined)[]>;
  /** The packets dropped by the programs of this host. */
  drops(): Promise<Drops>;
  /** Finds the namespace that `netns` names now, and remembers its path. NOT_FOUND if there is none. */
  resolve(netns: Netns): Promise<NetnsIdentity>;
  /** Watches `host` and every namespace resolved or used so far. Default: `everything`. */
  watch(purpose?: WatchPurpose): Watch<KernelEvent>;
  /** Resolves when the kernel has freed all removed devices. */
  settle(): Promise<void>;
}

/** A namespace, or a device in one. */
export interface KernelPlace {
  readonly netns: Netns;
  readonly link?: string;
}

export interface KernelErrorDetails extends ErrorDetails {
  /** Symbolic errno: `EEXIST`. */
  readonly errno?: string | undefined;
  /** Index of the operation in its batch. */
  readonly operation?: number | undefined;
  /** The kernel's reason in words: the end of the message, behind the errno. */
  readonly words?: string | undefined;
  /** The namespace that is missing, or the device that is in the way. */
  readonly at?: KernelPlace | undefined;
}

/**
 * An operation that the kernel has refused: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1: EEXIST: route exists`. Its reason is
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

/** The details of an error without its cause: what travels between threads, and into recordings. */
export function detailsOf(error: NetloomError): KernelErrorDetails {
  const { hint, topic, reason } = error;
  if (!(error instanceof KernelError)) return { hint, topic, reason };
  const { errno, operation, words, at } = error;
  return { hint, topic, reason, errno, operation, words, at };
}

/** Separate topics for a missing privilege, an unsupported feature, and a refusal in the current state. */
function topicOf(code: ErrorCode): Topic {
  if (code === "PERMISSION_DENIED") return "NL-103";
  return code === "UNIMPLEMENTED" ? "NL-402" : "NL-401";
}
