/** Separates the objects that an owner gives up from those that it keeps. */
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import {
  isWithdrawn,
  claimsOf,
  identityOf,
  isAttached,
  isDevice,
  isMarked,
  linkKeys,
  linksOf,
} from "../../kernel/objects.ts";
import { ownOf, type Plan } from "../../kernel/plan.ts";

/** A shared object claims for itself, whoever holds it; any other object claims for its owner. */
type Claimant = { readonly owner: string } | "shared";

/** Returns a predicate: whether one of `plans` claims, for another claimant, something of the object that only one may have. */
export function claimedBy(plans: readonly Plan[]): (claimant: Claimant, object: KernelObject) => boolean {
  const claimants = new Map<string, Set<string>>();
  const nameOf = (claimant: Claimant, object: KernelObject): string =>
    claimant === "shared" ? `shared ${identityOf(object)}` : `owner ${claimant.owner}`;
  const claim = (claimant: Claimant, object: KernelObject): void => {
    for (const { key } of claimsOf(object))
      claimants.set(key, (claimants.get(key) ?? new Set()).add(nameOf(claimant, object)));
  };
  for (const plan of plans) {
    for (const object of ownOf(plan)) claim({ owner: plan.owner }, object);
    for (const object of plan.shared ?? []) claim("shared", object);
  }
  return (claimant, object) => {
    const own = nameOf(claimant, object);
    return claimsOf(object).some(({ key }) => [...(claimants.get(key) ?? [])].some((each) => each !== own));
  };
}

/**
 * Removes attached objects, then devices. Objects that go with their device are removed separately only if they attract packets.
 */
export function removals(objects: readonly KernelObject[]): Operation[] {
  const devices = objects.filter(isDevice);
  const links = new Set(devices.flatMap(linkKeys));
  const attached = objects
    .filter(isAttached)
    .filter(isMarked)
    .filter((object) => isWithdrawn(object) || !linksOf(object).some((link) => links.has(link)));
  return [...attached.toReversed(), ...devices.toReversed()].map((object) => ({ verb: "remove", object }));
}

/** The objects of `held` that are wanted with all their claims, and whose device stays. */
export function whatStays(
  held: readonly KernelObject[],
  wanted: readonly KernelObject[],
): readonly KernelObject[] {
  const again = new Map(wanted.map((object) => [identityOf(object), object]));
  const staying = held.filter((object) => {
    const wanted = again.get(identityOf(object));
    const claims = new Set(wanted && claimsOf(wanted).map(({ key }) => key));
    return wanted !== undefined && claimsOf(object).every(({ key }) => claims.has(key));
  });
  const links = new Set(staying.filter(isDevice).flatMap(linkKeys));
  return staying.filter((object) => {
    if (isDevice(object)) return true;
    const [carrier] = linksOf(object);
    return carrier === undefined ? links.size > 0 : links.has(carrier);
  });
}
