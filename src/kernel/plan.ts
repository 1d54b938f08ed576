/** What somebody wants to be in the kernel of a host: a wire, the underlay of a lab. It has as many ends as it needs. */
import type { KernelObject } from "./kernel.ts";
import { identityOf } from "./objects.ts";

export interface Plan {
  readonly owner: string;
  /**
   * What is the owner's alone, in the order in which it is made: devices, programs, sysctls, addresses, up, routes, neighbours,
   * rules. Its devices bear the owner in their alias (`Owners`).
   */
  readonly objects: readonly KernelObject[];
  /**
   * What other plans may hold as well, made before `objects`. It is the host's: it comes with its first holder, goes with its
   * last, and is the same for all. Its devices have a `hostAlias`; what is on them is the host's, too, unless a plan has it among
   * its `objects`.
   */
  readonly shared?: readonly KernelObject[];
  /** More of the owner's own objects, in sets that may be many and change one by one, by key (`Reconciler.applyMember`). */
  readonly members?: ReadonlyMap<string, readonly KernelObject[]>;
}

/** All that `plans` want to be in the kernel: what they share once, and first. */
export function objectsOf(...plans: readonly Plan[]): KernelObject[] {
  const shared = new Map(plans.flatMap(({ shared = [] }) => shared).map((each) => [identityOf(each), each]));
  return [...shared.values(), ...plans.flatMap(ownOf)];
}

/** All that is the owner's alone. */
export function ownOf({ objects, members }: Plan): readonly KernelObject[] {
  return members ? [...objects, ...[...members.values()].flat()] : objects;
}

/** How plans of one sort name their owners. */
export interface Owners {
  /** The owner in the alias of one of its devices; `undefined` for another alias. */
  ownerOf(alias: string): string | undefined;
  /** `wire c1` */
  nameOf(owner: string): string;
  /** What to do about an owner that has what another one wants. */
  makeWay(owner: string): string;
}

const HOST_ALIAS = "host-";

/** The alias of a device that is the host's. */
export function hostAlias(name: string): string {
  return `${HOST_ALIAS}${name}`;
}

export function isHostAlias(alias: string): boolean {
  return alias.startsWith(HOST_ALIAS);
}
