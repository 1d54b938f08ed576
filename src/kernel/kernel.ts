/**
 * The kernel as data: what a host's network is made of, and the few verbs that change it.
 *
 * Everything here is plain, serialisable data, so that the carrier of a `Kernel` may be the simulator, a worker thread
 * or another process. Addresses, prefixes and MACs are canonical strings (src/net), times are milliseconds.
 */
import type { Watch } from "../async/watch.ts";
import { NetloomError, type ErrorCode, type ErrorDetails, type Topic } from "../errors/errors.ts";

/**
 * Names a network namespace, in the grammar of NSM's `inodeURL`: `host` is the namespace that the kernel serves,
 * `file:///run/netns/a` and `file:///proc/7/ns/net` are paths, `inode://4/4026534093` is an identity (device, inode)
 * as `Kernel.resolve` returns it. A path is resolved anew at every use; an identity never leads to another namespace.
 */
export type Netns = "host" | `file://${string}` | `inode://${string}`;

/** One end of a veth pair, or any single device, before it is up. */
export interface LinkEnd {
  readonly netns: Netns;
  /** At most 15 bytes (IFNAMSIZ - 1), no `/`, no white space. */
  readonly name: string;
  readonly mac: string;
  readonly mtuBytes: number;
  /** The owner, for people and for adoption (IFLA_IFALIAS, at most 255 bytes). */
  readonly alias: string;
  /**
   * While it is up the device has an IPv6 link-local address, made from its MAC (RFC 4291 appendix A), where IPv6 is on.
   * Needs an MTU of 1280. Equivalent to: `ip link set dev N addrgenmode eui64`, instead of `none`
   */
  readonly linkLocal?: true;
}

/** Equivalent to: `ip link add A netns NA … type veth peer name B netns NB …` */
export interface Veth {
  readonly kind: "veth";
  readonly ends: readonly [LinkEnd, LinkEnd];
}

/**
 * A point-to-point VXLAN device: learning off, DF set, socket in the namespace `host`.
 * Equivalent to: `ip link add N type vxlan id VNI local L remote R dstport P nolearning df set`
 */
export interface Vxlan extends LinkEnd {
  readonly kind: "vxlan";
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
  /** UDP port of both sides. */
  readonly port: number;
}

/** The administrative state. An object of its own, because what guards a device has to be there before it is up. */
export interface Up {
  readonly kind: "up";
  readonly netns: Netns;
  readonly link: string;
}

/** Equivalent to: `ip address add A [peer P] dev L [nodad]`. Without `peer` the prefix length makes an on-link route. */
export interface Address {
  readonly kind: "address";
  readonly netns: Netns;
  readonly link: string;
  /** Own address with prefix length: `10.0.0.1/32`. */
  readonly address: string;
  /** The other end's address with prefix length. Then `address` has full length. */
  readonly peer?: string;
}

/** Equivalent to: `ip route add D [via V] dev L [table T] [metric M] [src S] [onlink]` */
export interface Route {
  readonly kind: "route";
  readonly netns: Netns;
  /** Canonical prefix; `0.0.0.0/0` and `::/0` are the default routes. */
  readonly destination: string;
  readonly link: string;
  /** Next hop. Without one the destination is on the link (scope link). */
  readonly via?: string;
  /** The next hop is reachable through `link` although no route says so. */
  readonly onlink?: boolean;
  /** Default: main (254). */
  readonly table?: number;
  /** Default: 0 for IPv4, 1024 for IPv6, as the kernel has it. */
  readonly metric?: number;
  /** Preferred source address. */
  readonly source?: string;
}

/** Equivalent to: `ip rule add pref P [from F] [to T] [ipproto X] [sport A-B] [dport A-B] [iif I] lookup TABLE` */
export interface Rule {
  readonly kind: "rule";
  readonly netns: Netns;
  readonly family: 4 | 6;
  readonly priority: number;
  readonly table: number;
  readonly from?: string;
  readonly to?: string;
  readonly ipProtocol?: number;
  readonly sourcePorts?: readonly [number, number];
  readonly destinationPorts?: readonly [number, number];
  readonly iif?: string;
}

/** A permanent neighbour. Equivalent to: `ip neighbor add A lladdr M dev L nud permanent` */
export interface Neighbor {
  readonly kind: "neighbor";
  readonly netns: Netns;
  readonly link: string;
  readonly address: string;
  readonly mac: string;
}

/**
 * The `wire` program of datapath/ on a device's ingress: in `host` by a shared block, elsewhere as a pinned tcx link that
 * nobody inside the namespace can take off. It counts, then passes (`pass`), or hands the frame to the device `target` of the same namespace (`redirect`),
 * or to the far end of that veth (`redirect-peer`). A frame on a device that the program does not know is dropped.
 */
export interface Program {
  readonly kind: "program";
  readonly netns: Netns;
  readonly link: string;
  readonly verdict: "pass" | "redirect" | "redirect-peer";
  readonly target?: string;
}

/** Shapes what leaves `link`. Equivalent to: `tc qdisc add dev L root tbf …` or `… root netem …` */
export interface Qdisc {
  readonly kind: "qdisc";
  readonly netns: Netns;
  readonly link: string;
  readonly shape:
    | {
        readonly type: "tbf";
        readonly rateBitsPerSecond: number;
        readonly burstBytes: number;
        readonly limitBytes: number;
      }
    | { readonly type: "netem"; readonly delayMs: number; readonly lossPercent: number };
}

/** Settings of a namespace, or of one device in it. Equivalent to: `sysctl -w name=value …` */
export interface Sysctl {
  readonly kind: "sysctl";
  readonly netns: Netns;
  /** The device that they belong to, whose name stands for the `%` of each path. */
  readonly link?: string;
  /** By path below /proc/sys with slashes (an interface name may hold a dot): `net/ipv6/conf/%/disable_ipv6`. */
  readonly values: Readonly<Record<string, string>>;
  /** Goes without one where the kernel has no such setting (no IPv6), or where it may not be written (/proc/sys is read-only). */
  readonly isOptional?: true;
}

export type KernelObject = Veth | Vxlan | Up | Address | Route | Rule | Neighbor | Program | Qdisc | Sysctl;

/**
 * One change. `add` wants the object to be absent, `change` brings the existing object from `from` to `object` (same
 * identity), `remove` of what is not there is a success. A device that has another alias is another owner's by now: it is
 * not there.
 */
export type Operation =
  | { readonly verb: "add"; readonly object: KernelObject }
  | { readonly verb: "change"; readonly object: KernelObject; readonly from: KernelObject }
  | { readonly verb: "remove"; readonly object: KernelObject };

/** What tells our objects from a stranger's: the group of links, the protocol of addresses, routes, rules and neighbours. */
export interface OwnerMark {
  /** IFLA_GROUP. Devices that are being deleted are in the next group. */
  readonly group: number;
  /** RTA, FRA, NDA and IFA protocol, `/etc/iproute2/rt_protos`. */
  readonly protocol: number;
}

/** The mark of the mesh. */
export const MESH_MARK: Readonly<OwnerMark> = { group: 0x4e4c0000, protocol: 78 };

/** The mark of a lab's underlay. */
export const LAB_MARK: Readonly<OwnerMark> = { group: 0x4e4c0100, protocol: 79 };

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
}

export type KernelEvent =
  | {
      readonly type: "link";
      readonly netns: Netns;
      readonly link: string;
      readonly change: "new" | "removed";
    }
  | { readonly type: "address"; readonly netns: Netns; readonly change: "new" | "removed" }
  | { readonly type: "netns-removed"; readonly netns: Netns }
  /** Notifications were lost: observe again. */
  | { readonly type: "resync"; readonly reason: string };

/** What a watch is for: with `namespaces` it needs to tell only of their ends, and of what was lost. */
export type WatchPurpose = "everything" | "namespaces";

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
  /** Finds out which namespace `netns` names now, and remembers where it was found. NOT_FOUND if there is none. */
  resolve(netns: Netns): Promise<NetnsIdentity>;
  /** Link, address and namespace events of `host` and of every namespace resolved or used so far. Default: `everything`. */
  watch(purpose?: WatchPurpose): Watch<KernelEvent>;
  /** Resolves when nothing that was removed is left in the kernel. */
  settle(): Promise<void>;
}

export interface KernelErrorDetails extends ErrorDetails {
  /** Symbolic errno: `EEXIST`. */
  readonly errno?: string;
  /** Number of the operation in its batch. */
  readonly operation?: number;
}

/** A refusal of the kernel: `add route 10.0.0.0/24 via 10.1.0.1 dev nl-1: EEXIST: route exists`. */
export class KernelError extends NetloomError {
  override readonly name: string = "KernelError";
  readonly errno: string | undefined;
  readonly operation: number | undefined;

  constructor(code: ErrorCode, message: string, details: KernelErrorDetails = {}) {
    super(code, message, { topic: topicOf(code), ...details });
    this.errno = details.errno;
    this.operation = details.operation;
  }
}

/** "You may not" and "this kernel cannot" are answered differently from "not as things are". */
function topicOf(code: ErrorCode): Topic {
  if (code === "PERMISSION_DENIED") return "NL-103";
  return code === "UNIMPLEMENTED" ? "NL-402" : "NL-401";
}
