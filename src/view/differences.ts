import type { Operation } from "../kernel/kernel.ts";
import { describeObject } from "../kernel/kernel-text.ts";
import { isMarked } from "../kernel/objects.ts";

const words = { add: "missing", change: "changed", remove: "unexpected" } as const;

/** Describes needed operations as differences: `missing: route 10.0.0.0/24 …`. */
export function differencesOf(operations: readonly Operation[]): string[] {
  return operations
    .filter(({ object }) => isMarked(object))
    .map(({ verb, object }) => `${words[verb]}: ${describeObject(object)}`);
}
