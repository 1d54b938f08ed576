import type { KernelObject } from "../../kernel/kernel.ts";
import type { Plan } from "../../kernel/plan.ts";

/** What of one owner alone is, or may be, in the kernel. */
export interface HeldOwner {
  /** All but `members`. */
  readonly objects: readonly KernelObject[];
  /** Changes in the owner's turn only. */
  readonly members: Map<string, readonly KernelObject[]>;
  /** As it was asked for last; absent for what was only found. */
  readonly plan?: Plan;
  /**
   * Only found by `adopt`; asked for, but a change did not work out; all there as asked for, when last heard of; or it was, and
   * could not be put right.
   */
  readonly state: "found" | "unsure" | "made" | "broken";
}

/** What is to be there of an owner that was made, whether or not it still is. `undefined` for others. */
export function madePlan({ state, plan, members }: HeldOwner): Plan | undefined {
  if (!plan || state === "broken") return plan;
  return state === "made" ? { ...plan, members } : undefined;
}
