/**
 * Sorts observed objects by owner: a device names its owner in its alias, and objects on a device belong to the device's owner.
 */
import type { KernelObject } from "../../kernel/kernel.ts";
import { attachedKindOf, endsOf, isAttached, isDevice, linkKeys, linksOf } from "../../kernel/objects.ts";
import { isHostAlias, type Owners } from "../../kernel/plan.ts";
import { WIRES } from "./wire-owners.ts";

export interface ByOwner {
  readonly owned: ReadonlyMap<string, readonly KernelObject[]>;
  /** The host's objects: devices whose alias says so, objects on them, and objects on devices without the owner mark. */
  readonly host: readonly KernelObject[];
  /** Objects with the owner mark but without a name, left by a crash. */
  readonly nameless: readonly KernelObject[];
}

/** A group of `ByOwner`. */
type Group = { readonly owner: string } | "host";

export function groupByOwner(objects: readonly KernelObject[], owners: Owners = WIRES): ByOwner {
  const groups = new Map<string, Group>();
  const named = new Map<string, { readonly owner: string }>();
  const groupOf = (owner: string): Group => {
    const group = named.get(owner) ?? { owner };
    named.set(owner, group);
    return group;
  };
  const devices = objects.filter(isDevice);
  for (const device of devices) {
    const aliases = endsOf(device).map(({ alias }) => alias);
    const owner = aliases.map((alias) => owners.ownerOf(alias)).find((each) => each !== undefined);
    const group = owner === undefined ? aliases.some(isHostAlias) && "host" : groupOf(owner);
    if (group) for (const key of linkKeys(device)) groups.set(key, group);
  }
  const ours = new Set(devices.flatMap(linkKeys));
  const find = (object: KernelObject): Group | undefined => {
    const known = ownerKeysOf(object).map((key) => groups.get(key));
    const isElsewhere = isAttached(object) && linksOf(object).some((link) => !ours.has(link));
    return known.find((group) => group !== undefined) ?? (isElsewhere ? "host" : undefined);
  };
  for (const object of objects) {
    const group = find(object);
    if (group) for (const key of ownedKeysOf(object)) groups.set(key, group);
  }
  const sorted = Map.groupBy(objects, find);
  return {
    owned: new Map([...named.values()].map((group) => [group.owner, sorted.get(group) ?? []])),
    host: sorted.get("host") ?? [],
    nameless: sorted.get(undefined) ?? [],
  };
}

/** Keys that tell the owner of an object; the first known one counts. */
export function ownerKeysOf(object: KernelObject): readonly string[] {
  return (isAttached(object) && attachedKindOf(object).ownerKeys?.(object)) || linksOf(object);
}

/** Further keys that belong to the object's owner. */
export function ownedKeysOf(object: KernelObject): readonly string[] {
  return isAttached(object) ? (attachedKindOf(object).ownedKeys?.(object) ?? []) : [];
}
