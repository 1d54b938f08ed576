/** Whose an observed object is: a device says it in its alias, what is on a device belongs to the device's owner. */
import type { KernelObject, Netns } from "../kernel/kernel.ts";
import { carrierOf, endsOf, isDevice, linkKey, linkKeys } from "./identity.ts";
import { ownerOfAlias } from "../mechanisms/naming.ts";

/** Objects by connection id; under `undefined` what carries our mark but nobody's name: the rest of a crash. */
export type ByOwner = ReadonlyMap<string | undefined, readonly KernelObject[]>;

/** A rule belongs to whom the routes of its table belong. */
export function groupByOwner(objects: readonly KernelObject[]): ByOwner {
  const owners = new Map<string, string>();
  for (const device of objects.filter(isDevice)) {
    const owner = endsOf(device)
      .map((end) => ownerOfAlias(end.alias))
      .find((id) => id !== undefined);
    if (owner !== undefined) for (const key of linkKeys(device)) owners.set(key, owner);
  }
  for (const object of objects) {
    if (object.kind !== "route" || object.table === undefined) continue;
    const owner = owners.get(linkKey(object.netns, object.link));
    if (owner !== undefined) owners.set(tableKey(object.netns, object.table), owner);
  }
  const groups = new Map<string | undefined, KernelObject[]>();
  for (const object of objects) {
    const owner = owners.get(holderOf(object) ?? "");
    const group = groups.get(owner);
    if (group) group.push(object);
    else groups.set(owner, [object]);
  }
  return groups;
}

/** Routing tables that the rules and routes of `objects` use. */
export function tablesOf(objects: readonly KernelObject[]): Set<string> {
  return new Set(
    objects.flatMap((object) =>
      (object.kind === "rule" || object.kind === "route") && object.table !== undefined
        ? [tableKey(object.netns, object.table)]
        : [],
    ),
  );
}

/** The namespaces that `objects` are in. */
export function namespacesOf(objects: readonly KernelObject[]): Set<Netns> {
  return new Set(
    objects.flatMap((object) => (isDevice(object) ? endsOf(object).map((end) => end.netns) : [object.netns])),
  );
}

export function tableKey(netns: Netns, table: number): string {
  return `${netns} table ${table}`;
}

function holderOf(object: KernelObject): string | undefined {
  if (isDevice(object)) return linkKeys(object)[0];
  return object.kind === "rule" ? tableKey(object.netns, object.table) : carrierOf(object);
}
