import type { Kernel, Netns } from "../world/kernel.ts";
import type { Plan, PlanOptions } from "./plan.ts";
import type { Wire } from "./wire.ts";

/** Brings the wires of one host into its kernel and out of it again. */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #options: PlanOptions;

  constructor(kernel: Kernel, options: PlanOptions = {}) {
    this.#kernel = kernel;
    this.#options = options;
  }

  /** Makes the wire, or brings it to this form. Idempotent. INVALID_ARGUMENT, ALREADY_EXISTS, NOT_FOUND … as NetloomError. */
  apply(wire: Wire): Promise<Plan> {
    throw new Error(`${String(this.#kernel)} ${String(this.#options)} ${wire.connectionId}`);
  }

  /** Removes all of a wire. An unknown wire is a success. */
  remove(connectionId: string): Promise<void> {
    throw new Error(connectionId);
  }

  /** Removes several wires in one batch. */
  removeAll(connectionIds: readonly string[]): Promise<void> {
    throw new Error(connectionIds.join());
  }

  /** Takes over what an earlier process left in `host` and `namespaces`; changes nothing. Returns the owners found. */
  adopt(namespaces: readonly Netns[]): Promise<string[]> {
    throw new Error(namespaces.join());
  }

  /** Removes all that was adopted and that no `apply` has claimed since. Returns the owners removed. */
  sweep(): Promise<string[]> {
    throw new Error("");
  }
}
