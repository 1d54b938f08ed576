import type { KernelObject, Operation } from "../world/kernel.ts";

/** The operations that lead from `observed` to `wanted`. Pure; empty if nothing is to do. */
export function diff(wanted: readonly KernelObject[], observed: readonly KernelObject[]): Operation[] {
  throw new Error(`${wanted.length} ${observed.length}`);
}
