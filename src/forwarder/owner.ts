/** Whose an observed object is: a device says it in its alias, what is on a device belongs to the device's owner. */
import type { KernelObject } from "../kernel/kernel.ts";
import { attachedKindOf, endsOf, isAttached, isDevice, linkKeys, linksOf } from "../kernel/objects.ts";
import { ownerOfAlias } from "../mechanisms/naming.ts";

/** Objects by connection id; under `undefined` what carries our mark but nobody's name: the rest of a crash. */
export type ByOwner = ReadonlyMap<string | undefined, readonly KernelObject[]>;

export function groupByOwner(objects: readonly KernelObject[]): ByOwner {
  const owners = new Map<string, string>();
  for (const device of objects.filter(isDevice)) {
    const owner = endsOf(device)
      .map((end) => ownerOfAlias(end.alias))
      .find((id) => id !== undefined);
    if (owner !== undefined) for (const key of linkKeys(device)) owners.set(key, owner);
  }
  const ownerOf = (object: KernelObject): string | undefined =>
    ownerKeysOf(object)
      .map((key) => owners.get(key))
      .find((owner) => owner !== undefined);
  for (const object of objects) {
    const owner = ownerOf(object);
    if (owner !== undefined) for (const key of ownedKeysOf(object)) owners.set(key, owner);
  }
  const groups = new Map<string | undefined, KernelObject[]>();
  for (const object of objects) {
    const owner = ownerOf(object);
    const group = groups.get(owner);
    if (group) group.push(object);
    else groups.set(owner, [object]);
  }
  return groups;
}

/** Keys that tell whose an object is, the first that is known counts. */
export function ownerKeysOf(object: KernelObject): readonly string[] {
  return (isAttached(object) && attachedKindOf(object).ownerKeys?.(object)) || linksOf(object);
}

/** Further keys that are an object's owner's. */
export function ownedKeysOf(object: KernelObject): readonly string[] {
  return isAttached(object) ? (attachedKindOf(object).ownedKeys?.(object) ?? []) : [];
}
