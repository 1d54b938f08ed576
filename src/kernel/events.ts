/** Notifications of the kernel about changes, whoever has made them. */
import type { Netns } from "./link.ts";

/** The state of an existing device in a notification. */
export interface LinkFacts {
  /** Absent on a device without a 6-byte address. */
  readonly mac?: string;
  readonly mtuBytes: number;
  /** IFF_UP */
  readonly isUp: boolean;
  /** The device has Netloom's mark. */
  readonly isOurs: boolean;
  /** The alias; empty if there is none. */
  readonly alias: string;
}

/**
 * A device was created, removed, or changed in its name, alias, MAC, MTU, IFF_UP, carrier or master. Several changes
 * between two reads of the notifications are reported as one, with the final state.
 */
export interface LinkEvent {
  readonly type: "link";
  readonly netns: Netns;
  /** The current name, or the last name of a removed device. */
  readonly link: string;
  readonly change: "new" | "changed" | "removed";
  /** Absent for a removed device. */
  readonly facts?: LinkFacts;
  /** The previous name, if the device was renamed. */
  readonly formerly?: string;
  /**
   * The device was down in between, so the kernel has removed its routes, neighbours and IPv6 addresses. Not reported for
   * changes by this kernel's own batches.
   */
  readonly wentDown?: true;
}

/**
 * A change in the kernel. Changes of links and addresses are always reported, including those by this kernel's own batches,
 * because readers compare the reported state with the wanted one. The loss of a route, rule or neighbour carries little
 * information, so it is reported only if another program caused it.
 */
export type KernelEvent =
  | LinkEvent
  | {
      readonly type: "address";
      readonly netns: Netns;
      readonly change: "new" | "removed";
      /** The address with its prefix length; with a peer, as in `Address`. */
      readonly address: string;
      /** The device of the address, if its name is known. */
      readonly link?: string;
    }
  /**
   * In `host`: any routes or rules have changed, reported at most once in 100 ms. In another namespace: a route or rule of
   * Netloom, or a route that the kernel keeps for a device of Netloom, was removed or replaced; `link` is its device, if
   * known.
   */
  | { readonly type: "route"; readonly netns: Netns; readonly link?: string }
  /** A permanent neighbour of Netloom was removed or replaced. */
  | { readonly type: "neighbor"; readonly netns: Netns; readonly link?: string }
  /** The tcx link or filter of one of Netloom's programs was removed from a device. */
  | { readonly type: "program"; readonly netns: Netns; readonly link?: string }
  | { readonly type: "netns-removed"; readonly netns: Netns }
  /** Notifications were lost: observe again. */
  | { readonly type: "resync"; readonly reason: string };

/**
 * The purpose of a watch, which selects the notifications: `namespaces` (removed namespaces, and lost notifications),
 * `links` (also devices and addresses), `everything` (also routes, rules, neighbours and programs).
 */
export type WatchPurpose = (typeof WATCH_PURPOSES)[number];

/** Each purpose includes the ones before it. */
export const WATCH_PURPOSES = ["namespaces", "links", "everything"] as const;

/** The narrowest purpose that includes this event. */
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

/** Does a watch for `purpose` get the events of `least`? */
export function isServedBy(least: WatchPurpose, purpose: WatchPurpose | undefined): boolean {
  return purpose !== undefined && WATCH_PURPOSES.indexOf(least) <= WATCH_PURPOSES.indexOf(purpose);
}
