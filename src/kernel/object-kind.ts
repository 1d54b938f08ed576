/**
 * All that is pure about one kind of kernel object. A kind is a file in objects/ whose value satisfies one of these
 * interfaces, and a line in the list of objects.ts. `linux/objects` and `sim/objects` have their side of it.
 *
 * Everything that deals with objects of any kind (difference, order, ownership, claims, description, script) asks here.
 */
import { type LinkEnd, linkKey, type Netns, type OnLink } from "./link.ts";
import type { KernelEvent } from "./events.ts";
import type { ScriptTools } from "./script-tools.ts";

/**
 * The steps to what is wanted, in order; removals go in reverse. What guards a device is there before it is up, what uses
 * a device comes after that, and a program changes over to a new device when that is ready.
 */
export const PHASES = [
  "devices",
  "programs",
  "queues",
  "settings",
  "addresses",
  "up",
  "switch-over",
  "routes",
  "neighbors",
  "rules",
] as const;

export type Phase = (typeof PHASES)[number];

/** What an object has of which a namespace, or a host, holds one, whoever wants it. */
export interface SoleClaim {
  /** Equal for what cannot be there twice. */
  readonly key: string;
  /** For people: `the interface nsm-1 in file:///run/netns/a`. */
  readonly words: string;
  /** The kernel itself would hold several; of two owners only one may have it, so that packets find their way. */
  readonly mayRepeat?: true;
}

/** Packets to `destination` come to the object's device, where the routing table `table` is asked. */
export interface Attraction {
  readonly table: number;
  /** Canonical prefix. */
  readonly destination: string;
}

/** One change of one kind of object; see `Operation`. */
export type Step<T> =
  | { readonly verb: "add"; readonly object: T }
  | { readonly verb: "change"; readonly object: T; readonly from: T }
  | { readonly verb: "remove"; readonly object: T };

interface Common<T> {
  /** Every namespace that it is in, or needs. */
  namespaces(object: T): readonly Netns[];
  /**
   * Objects with the same identity cannot be there at the same time; one becomes the other by `change`. A device is its
   * names and what the kernel cannot change about it. Default: all of the object.
   */
  identity?(object: T): string;
  /** Equal for equal objects: with defaults filled in. Default: the object as it is. */
  normal?(object: T): unknown;
  /** Default: nothing. */
  claims?(object: T): readonly SoleClaim[];
  /** Kind and identity, in the words of iproute2, with the namespace. */
  describe(object: T): string;
  /** Commands that do the step, in order. */
  script(tools: ScriptTools, step: Step<T>): readonly string[];
  /** Lines that a script begins with that has objects of this kind. */
  scriptStart?(tools: ScriptTools): readonly string[];
  /** Settings of its place are written again when it comes: it depends on them. */
  readonly usesSettings?: true;
}

/** A device. Its name and its far end are what other objects hang on. */
export interface DeviceKind<T> extends Common<T> {
  readonly isDevice: true;
  /** Two of a pair, else one. */
  ends(device: T): readonly LinkEnd[];
  /** The same with other ends, as many and in the same order. */
  withEnds(device: T, ends: readonly LinkEnd[]): T;
}

/** What is no device: it hangs on one, or on a namespace alone. */
export interface AttachedKind<T> extends Common<T> {
  readonly isDevice?: never;
  /** Of each verb. */
  readonly phase: Readonly<Record<Step<T>["verb"], Phase>>;
  /** The device that it hangs on and goes with. Absent: on none. */
  carrier(object: T): OnLink | undefined;
  /**
   * It bears no mark, so that nobody can observe it: it is written whenever something that uses it comes to its place, and
   * has no removal of its own.
   */
  readonly isUnmarked?: true;
  /** What packets it draws to its device: it is withdrawn before the device goes, which takes the kernel a while. */
  attracts?(object: T): readonly Attraction[];
  /** Other losses than its carrier's that take it along, as `steps` tells them. */
  lostWith?(object: T): readonly string[];
  /** What is left of it when these links are gone (`linkKey`), if that is not all of it. */
  withoutLinks?(object: T, links: ReadonlySet<string>): T;
  /**
   * The way from one set of these objects to another, where adding, changing and removing each for itself is wrong. `lost`:
   * what it took along.
   */
  steps?(
    wanted: readonly T[],
    observed: readonly T[],
  ): { readonly operations: readonly Step<T>[]; readonly lost: ReadonlySet<string> };
  /** Keys that tell whose it is, the first that is known counts. Default: its carrier's (`linkKey`). */
  ownerKeys?(object: T): readonly string[];
  /** Further keys that are its owner's. */
  ownedKeys?(object: T): readonly string[];
  /** Whether an event about its carrier says that it is not there as it is. Default: no. */
  isDeniedBy?(object: T, event: KernelEvent): boolean;
}

export type KernelObjectKind<T> = DeviceKind<T> | AttachedKind<T>;

/** All three verbs in one phase. */
export function inPhase(phase: Phase): Readonly<Record<"add" | "change" | "remove", Phase>> {
  return { add: phase, change: phase, remove: phase };
}

/** The name of a device, of which a namespace has one. */
export function nameClaim({ netns, name }: LinkEnd): SoleClaim {
  return { key: linkKey(netns, name), words: `the interface ${name} in ${netns}` };
}
