/**
 * The Linux implementation of one kind of object: add, change, remove, observe. A kind is a file in objects/ and a line in
 * the list of objects.ts. Most kinds are one netlink message (plain-object.ts) or a device (device-object.ts).
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

/** The context shared by all batches of a kernel. */
export interface BatchContext {
  readonly places: Places;
  readonly reaper: Reaper;
  readonly settings: ProcSys;
  readonly mark: OwnerMark;
  /** Opens the datapath, and mounts its bpffs if necessary. */
  readonly datapath: () => Datapath;
  /** Removes the pins of a removed device. */
  readonly forgetPrograms: (place: NetnsPlace, linkIndex: number) => void;
  /** True after a pause if a namespace was removed recently and its devices may not be gone yet. */
  readonly awaitTheDying: () => Promise<boolean>;
}

/** The tools of a batch for the kinds of its objects. */
export interface BatchTools extends BatchContext {
  readonly operations: readonly Operation[];
  /** The devices of the batch. */
  readonly links: Links;
  readonly transaction: Transaction;
  readonly readiness: Readiness;
  /** The device of an object. If it is missing: `undefined` for a removal, refused otherwise. */
  linkOf(job: Job, place: NetnsPlace, name: string): Link | undefined;
  /** Does the batch remove this device, and everything on it with it? */
  isLeaving(place: NetnsPlace, link: string): boolean;
  /** Does a device that the batch would remove belong to another owner now? Then everything on it stays, too. */
  isStrangers(place: NetnsPlace, link: Link): boolean;
  /** On undo, restores the objects that the device loses with the next step or with its undo. */
  restoreLater(place: NetnsPlace, link: Link): Promise<void>;
}

/** The target of a netlink message. */
export interface Target {
  /** Index of the device; 0 for an object without one. */
  readonly linkIndex: number;
  /** The protocol number of the owner mark. */
  readonly protocol: number;
}

/** An operation that the kernel has refused. */
interface Refused<T> {
  readonly errno: string;
  readonly ack: Ack;
  readonly object: T;
  /** The tools of the batch, if the batch itself was refused. */
  readonly tools: BatchTools | undefined;
}

/**
 * Each verb acts at once or queues its step, and registers the undo (`Transaction`). Namespaces are already open; those of
 * a removal may be missing. An error is restated as the refusal of the operation.
 */
export interface LinuxObjectKind<T> {
  add(tools: BatchTools, job: Job, object: T): void | Promise<void>;
  change(tools: BatchTools, job: Job, object: T, from: T): void | Promise<void>;
  /** Removing an absent object succeeds. */
  remove(tools: BatchTools, job: Job, object: T): void | Promise<void>;
  /** The objects with the owner mark. */
  observe(context: ObserveContext, view: NetnsView): T[];
  /** The reason for a refusal, where the errno has a special meaning. */
  explain?(refused: Refused<T>): Explanation | undefined;
  /** The message that restores the object on a device that was down, or had no IPv4 address, for a while. */
  restore?(object: T, target: Target): Uint8Array;
}
