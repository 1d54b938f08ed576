/** Whose an observed object is: a device says it in its alias, what is on a device belongs to the device's owner. */
import type { KernelObject } from "../../kernel/kernel.ts";
import { attachedKindOf, endsOf, isAttached, isDevice, linkKeys, linksOf } from "../../kernel/objects.ts";
import { isHostAlias, type Owners } from "../../kernel/plan.ts";
import { WIRES } from "./wire-owners.ts";

export interface ByOwner {
  readonly owned: ReadonlyMap<string, readonly KernelObject[]>;
  /** The host's: devices that say so, what is on them, and what is on devices that bear no mark of ours. */
  readonly host: readonly KernelObject[];
  /** What carries our mark but nobody's name: the rest of a crash. */
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

/** Keys that tell whose an object is, the first that is known counts. */
export function ownerKeysOf(object: KernelObject): readonly string[] {
  return (isAttached(object) && attachedKindOf(object).ownerKeys?.(object)) || linksOf(object);
}

/** Further keys that are an object's owner's. */
export function ownedKeysOf(object: KernelObject): readonly string[] {
  return isAttached(object) ? (attachedKindOf(object).ownedKeys?.(object) ?? []) : [];
}
