/** A wanted set of kernel objects on a host: a wire, or the underlay of a lab. It has any number of ends. */
import type { KernelObject } from "./kernel.ts";
import { identityOf } from "./objects.ts";

export interface Plan {
  readonly owner: string;
  /**
   * Objects that belong to the owner alone, in the order in which they are made: devices, programs, sysctls, addresses, up,
   * routes, neighbours, rules. The devices name the owner in their alias (`Owners`).
   */
  readonly objects: readonly KernelObject[];
  /**
   * Objects that other plans may share, made before `objects`. They belong to the host: they are added with their first
   * holder, removed with their last, and are the same for all. Their devices have a `hostAlias`; objects on these devices
   * belong to the host too, unless they are in the `objects` of a plan.
   */
  readonly shared?: readonly KernelObject[];
  /** More objects of the owner, in sets that change one by one, by key (`Reconciler.applyMember`). There may be many. */
  readonly members?: ReadonlyMap<string, readonly KernelObject[]>;
}

/** All objects of `plans`: the shared ones first and only once. */
export function objectsOf(...plans: readonly Plan[]): KernelObject[] {
  const shared = new Map(plans.flatMap(({ shared = [] }) => shared).map((each) => [identityOf(each), each]));
  return [...shared.values(), ...plans.flatMap(ownOf)];
}

/** All objects that belong to the owner alone. */
export function ownOf({ objects, members }: Plan): readonly KernelObject[] {
  return members ? [...objects, ...[...members.values()].flat()] : objects;
}

/** The naming of owners for one sort of plan. */
export interface Owners {
  /** Reads the owner from the alias of a device; `undefined` for an alias of another sort. */
  ownerOf(alias: string): string | undefined;
  /** The display name of an owner: `wire c1`. */
  nameOf(owner: string): string;
  /** A hint how to remove an owner that holds something another owner wants. */
  makeWay(owner: string): string;
}

const HOST_ALIAS = "host-";

/** The alias of a device that belongs to the host. */
export function hostAlias(name: string): string {
  return `${HOST_ALIAS}${name}`;
}

export function isHostAlias(alias: string): boolean {
  return alias.startsWith(HOST_ALIAS);
}
