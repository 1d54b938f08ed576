/**
 * The pure part of one kind of kernel object. A kind is a file in objects/ whose value satisfies one of these interfaces,
 * and a line in the list of objects.ts. `linux/objects` and `sim/objects` hold its implementations.
 *
 * All code that handles objects of any kind (difference, order, ownership, claims, description, script) uses these
 * interfaces.
 */
import { type LinkEnd, linkKey, type Netns, type OnLink } from "./link.ts";
import type { KernelEvent } from "./events.ts";
import type { ScriptTools } from "./script-tools.ts";

/**
 * The phases of a change, in order; removals run in reverse. Objects that guard a device come before it is up, objects that
 * use it come after, and a program switches to a new device when the device is ready.
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

/** A property that only one object of a namespace, or of a host, may have. */
export interface SoleClaim {
  /** Equal for conflicting objects. */
  readonly key: string;
  /** A noun phrase for messages: `the interface nsm-1 in file:///run/netns/a`. */
  readonly words: string;
  /** The kernel would accept several, but only one owner may have it, so that packets find their way. */
  readonly mayRepeat?: true;
}

/** The object draws packets to `destination` to its device, for lookups in the routing table `table`. */
export interface Attraction {
  readonly table: number;
  /** Canonical prefix. */
  readonly destination: string;
}

/** One change of an object of one kind; see `Operation`. */
export type Step<T> =
  | { readonly verb: "add"; readonly object: T }
  | { readonly verb: "change"; readonly object: T; readonly from: T }
  | { readonly verb: "remove"; readonly object: T };

interface Common<T> {
  /** Every namespace that the object is in or needs. */
  namespaces(object: T): readonly Netns[];
  /**
   * Objects with the same identity cannot exist at the same time; `change` turns one into the other. The identity of a
   * device is its names and its unchangeable properties. Default: the whole object.
   */
  identity?(object: T): string;
  /** The normal form, with defaults filled in: equal for equal objects. Default: the object itself. */
  normal?(object: T): unknown;
  /** The exclusive properties of the object. Default: none. */
  claims?(object: T): readonly SoleClaim[];
  /** Describes kind and identity, in the words of iproute2, with the namespace. */
  describe(object: T): string;
  /** The shell commands of a step, in order. */
  script(tools: ScriptTools, step: Step<T>): readonly string[];
  /** The lines at the start of a script that contains objects of this kind. */
  scriptStart?(tools: ScriptTools): readonly string[];
  /** The object depends on sysctls of its link or namespace: they are written again when it is added. */
  readonly usesSettings?: true;
}

/** A kind of device. Other objects refer to a device by its name or its far end. */
export interface DeviceKind<T> extends Common<T> {
  readonly isDevice: true;
  /** The device type in Linux (IFLA_INFO_KIND). */
  readonly infoKind: string;
  /** Two ends for a pair, otherwise one. */
  ends(device: T): readonly LinkEnd[];
  /** The same device with other ends: the same number in the same order. */
  withEnds(device: T, ends: readonly LinkEnd[]): T;
}

/** A kind of object that is not a device. It is on a device, or in a namespace alone. */
export interface AttachedKind<T> extends Common<T> {
  readonly isDevice?: never;
  /** The phase of each verb. */
  readonly phase: Readonly<Record<Step<T>["verb"], Phase>>;
  /** The device that the object is on and goes away with. Absent: none. */
  carrier(object: T): OnLink | undefined;
  /**
   * The object has no owner mark, so it cannot be observed. It is written again whenever an object that depends on it is
   * added, and is never removed separately.
   */
  readonly isUnmarked?: true;
  /**
   * The destinations whose packets the object draws to its device. Such an object is removed before its device, because the
   * kernel takes a while to free a device.
   */
  attracts?(object: T): readonly Attraction[];
  /** True if the object draws packets from elsewhere, and must be removed before its device for that reason. */
  isWithdrawn?(object: T): boolean;
  /** Keys of other losses that remove the object, besides that of its device. `steps` returns the losses. */
  lostWith?(object: T): readonly string[];
  /** The rest of the object when these links (`linkKey`) are gone, if it survives them. */
  withoutLinks?(object: T, links: ReadonlySet<string>): T;
  /**
   * The steps from one set of objects to another, for kinds where adding, changing and removing objects independently is
   * wrong. `lost`: keys of objects that the steps remove as a side effect.
   */
  steps?(
    wanted: readonly T[],
    observed: readonly T[],
  ): { readonly operations: readonly Step<T>[]; readonly lost: ReadonlySet<string> };
  /** Keys that identify the owner; the first known key counts. Default: the key of its device (`linkKey`). */
  ownerKeys?(object: T): readonly string[];
  /** Further keys that belong to the owner of the object. */
  ownedKeys?(object: T): readonly string[];
  /** Does an event about its device contradict the existence of the object? Default: no. */
  isDeniedBy?(object: T, event: KernelEvent): boolean;
}

export type KernelObjectKind<T> = DeviceKind<T> | AttachedKind<T>;

/** The same phase for all three verbs. */
export function inPhase(phase: Phase): Readonly<Record<"add" | "change" | "remove", Phase>> {
  return { add: phase, change: phase, remove: phase };
}

/** The claim to a device name, which is unique in a namespace. */
export function nameClaim({ netns, name }: LinkEnd): SoleClaim {
  return { key: linkKey(netns, name), words: `the interface ${name} in ${netns}` };
}
