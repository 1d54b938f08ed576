/**
 * How Linux makes, changes, removes and tells one kind of object. A kind is a file in objects/ and a line in the list of
 * objects.ts. Most are one netlink message (plain-object.ts) or a device (device-object.ts).
 */
import type { Operation, OwnerMark } from "../kernel/kernel.ts";
import type { Datapath } from "./bpf/datapath.ts";
import type { Links } from "./batch/links.ts";
import type { Link } from "./netlink/link-decode.ts";
import type { Ack } from "./netlink/message-reader.ts";
import type { NetnsPlace, Places } from "./namespaces/place.ts";
import type { ProcSys } from "./namespaces/proc-sys.ts";
import type { Readiness } from "./batch/readiness.ts";
import type { Reaper } from "./batch/reaper.ts";
import type { Explanation, Job } from "./batch/refuse.ts";
import type { Transaction } from "./batch/transaction.ts";
import type { ObserveContext, NetnsView } from "./batch/view.ts";

/** What is the same for all batches of a kernel. */
export interface BatchContext {
  readonly places: Places;
  readonly reaper: Reaper;
  readonly settings: ProcSys;
  readonly mark: OwnerMark;
  /** Opens the datapath, and mounts the bpffs for it if need be. */
  readonly datapath: () => Datapath;
  /** Takes off what is pinned for a device that is gone. */
  readonly forgetPrograms: (place: NetnsPlace, linkIndex: number) => void;
  /** True after a pause if a namespace died of late whose devices may still be about to go. */
  readonly awaitTheDying: () => Promise<boolean>;
}

/** What a batch lends to the kinds of its objects. */
export interface BatchTools extends BatchContext {
  readonly operations: readonly Operation[];
  /** The devices that the batch has to do with. */
  readonly links: Links;
  readonly transaction: Transaction;
  readonly readiness: Readiness;
  /** The device an object hangs on. `undefined` for who removes from one that is not there; refused for all others. */
  linkOf(job: Job, place: NetnsPlace, name: string): Link | undefined;
  /** Whether the batch removes this device: all that is on it goes by itself. */
  isLeaving(place: NetnsPlace, link: string): boolean;
  /** Whether a device that the batch would remove is another owner's by now: then all that it has stays, too. */
  isStrangers(place: NetnsPlace, link: Link): boolean;
  /** What a device loses with the next step, or with its undo, is put back when all is undone. */
  restoreLater(place: NetnsPlace, link: Link): Promise<void>;
}

/** Where a netlink message is about. */
export interface Target {
  /** Index of the device; 0 for what hangs on none. */
  readonly linkIndex: number;
  /** The owner mark. */
  readonly protocol: number;
}

/** Something that the kernel has refused. */
interface Refused<T> {
  readonly errno: string;
  readonly ack: Ack;
  readonly object: T;
  /** Of the batch, where that is what was refused. */
  readonly tools: BatchTools | undefined;
}

/**
 * Each verb does its part at once, or queues it, and notes how it is undone (`Transaction`). Namespaces are open by then: those
 * of a removal may be missing. What it throws is restated as the refusal of its operation.
 */
export interface LinuxObjectKind<T> {
  add(tools: BatchTools, job: Job, object: T): void | Promise<void>;
  change(tools: BatchTools, job: Job, object: T, from: T): void | Promise<void>;
  /** Of what is not there: a success. */
  remove(tools: BatchTools, job: Job, object: T): void | Promise<void>;
  /** Those with our mark. */
  observe(context: ObserveContext, view: NetnsView): T[];
  /** Why it was refused, where the errno means something of its own. */
  explain?(refused: Refused<T>): Explanation | undefined;
  /** The message that puts it back on a device that was down, or had no IPv4 address, for a while. */
  restore?(object: T, target: Target): Uint8Array;
}
