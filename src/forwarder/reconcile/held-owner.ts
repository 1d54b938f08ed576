import type { KernelObject } from "../../kernel/kernel.ts";
import type { Plan } from "../../kernel/plan.ts";

/** The objects of one owner alone that are, or may be, in the kernel. */
export interface HeldOwner {
  /** All except those of `members`. */
  readonly objects: readonly KernelObject[];
  /** Changes only in the owner's turn. */
  readonly members: Map<string, readonly KernelObject[]>;
  /** The plan last applied; absent for an owner that was only found. */
  readonly plan?: Plan;
  /**
   * - `found`: only found by `adopt`
   * - `unsure`: applied, but a change did not succeed
   * - `made`: complete as applied, when last observed
   * - `broken`: was `made`, and could not be repaired
   */
  readonly state: "found" | "unsure" | "made" | "broken";
}

/** The plan that should be in the kernel for an owner that was made, whether or not it still is. `undefined` for others. */
export function madePlan({ state, plan, members }: HeldOwner): Plan | undefined {
  if (!plan || state === "broken") return plan;
  return state === "made" ? { ...plan, members } : undefined;
}
