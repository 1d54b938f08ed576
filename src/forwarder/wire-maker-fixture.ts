/** For tests that are about wires: plans each, and has a reconciler bring it. */
import type { Kernel, Netns } from "../kernel/kernel.ts";
import type { PlanOptions } from "./plan.ts";
import { planWire } from "./plan-wire.ts";
import { Reconciler, type ReconcilerOptions } from "./reconcile.ts";
import type { Wire } from "./wire.ts";

export class WireMaker {
  readonly #reconciler: Reconciler;
  readonly #options: PlanOptions;

  constructor(kernel: Kernel, options: ReconcilerOptions & PlanOptions = {}) {
    this.#reconciler = new Reconciler(kernel, options);
    this.#options = options;
  }

  async apply(wire: Wire): Promise<void> {
    await this.#reconciler.apply(planWire(wire, this.#options));
  }

  remove(connectionId: string): Promise<void> {
    return this.#reconciler.remove(connectionId);
  }

  makeRoom(wires: readonly Wire[]): Promise<void> {
    return this.#reconciler.makeRoom(wires.map((wire) => planWire(wire, this.#options)));
  }

  /** Ids of the wires that are found in the host and in `namespaces`. */
  async adopt(namespaces: readonly Netns[]): Promise<string[]> {
    return [...(await this.#reconciler.adopt(["host", ...namespaces])).keys()];
  }

  sweep(): Promise<string[]> {
    return this.#reconciler.sweep();
  }

  owners(): string[] {
    return this.#reconciler.owners();
  }
}
