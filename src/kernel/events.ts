/** What a kernel tells of its own accord: facts, whoever has made them so. */
import type { Netns } from "./link.ts";

/** What a notification tells of a device that is there. */
export interface LinkFacts {
  /** Absent on a device without a 6-byte address. */
  readonly mac?: string;
  readonly mtuBytes: number;
  /** IFF_UP */
  readonly isUp: boolean;
  /** It bears our mark. */
  readonly isOurs: boolean;
  /** Empty if it has none. */
  readonly alias: string;
}

/**
 * A device has come, has changed in what is a fact to somebody (name, alias, MAC, MTU, IFF_UP, carrier, master), or has gone.
 * What comes and goes between two looks at the notifications is told as it is in the end.
 */
export interface LinkEvent {
  readonly type: "link";
  readonly netns: Netns;
  /** Its name now, or its last one. */
  readonly link: string;
  readonly change: "new" | "changed" | "removed";
  /** Absent for one that is gone. */
  readonly facts?: LinkFacts;
  /** The name that it had before, if it was another one. */
  readonly formerly?: string;
  /** It was down meanwhile: what the kernel takes off such a device is gone. Not told of what a batch of this kernel has done. */
  readonly wentDown?: true;
}

/**
 * What happens, whoever has done it. Of links and addresses all is told, also what batches of this kernel have done: who
 * follows the facts compares them with what is wanted. The loss of a route, rule or neighbour, which tells little, is told only
 * where another has done it.
 */
export type KernelEvent =
  | LinkEvent
  | {
      readonly type: "address";
      readonly netns: Netns;
      readonly change: "new" | "removed";
      /** With the length of its prefix; with a peer of its own as in `Address`. */
      readonly address: string;
      /** Its device, where its name is known. */
      readonly link?: string;
    }
  /**
   * Of `host`: routes or rules have changed, whosever they are, at most once in 100 ms. Of another namespace: a route or rule of
   * ours, or a route that the kernel keeps for a device of ours, is gone or was replaced; `link` is its device, where that is known.
   */
  | { readonly type: "route"; readonly netns: Netns; readonly link?: string }
  /** A permanent neighbour of ours is gone or was replaced. */
  | { readonly type: "neighbor"; readonly netns: Netns; readonly link?: string }
  /** What a program of ours hangs on was taken off a device. */
  | { readonly type: "program"; readonly netns: Netns; readonly link?: string }
  | { readonly type: "netns-removed"; readonly netns: Netns }
  /** Notifications were lost: observe again. */
  | { readonly type: "resync"; readonly reason: string };

/**
 * What a watch is for, which says what is listened to: `namespaces` (their ends, and what was lost), `links` (and their
 * addresses, too), `everything` (and routes, rules, neighbours and programs, too).
 */
export type WatchPurpose = (typeof WATCH_PURPOSES)[number];

/** Each includes those before it. */
export const WATCH_PURPOSES = ["namespaces", "links", "everything"] as const;

/** The least purpose for which an event is told. */
export function purposeOf({ type }: KernelEvent): WatchPurpose {
  switch (type) {
    case "link":
    case "address":
      return "links";
    case "route":
    case "neighbor":
    case "program":
      return "everything";
    case "netns-removed":
    case "resync":
    default:
      return "namespaces";
  }
}

/** Whether who watches for `purpose` hears what is told for `least`. */
export function isServedBy(least: WatchPurpose, purpose: WatchPurpose | undefined): boolean {
  return purpose !== undefined && WATCH_PURPOSES.indexOf(least) <= WATCH_PURPOSES.indexOf(purpose);
}
