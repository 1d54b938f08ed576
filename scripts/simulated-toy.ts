/** Puts the toy workload together: the simulator, its kernel, and the store in memory. */
import { setImmediate } from "node:timers";
import { SimMachine } from "../src/sim/kernel/kernel.ts";
import type { Drain } from "../src/sim/scheduler.ts";
import { type ToyOptions, type ToyResult, runToy } from "../fixtures/sim/toy.ts";
import { MemoryStore } from "../src/store/memory/memory-store.ts";
import { PLAIN_CREDENTIALS } from "../src/identity/identities.ts";

/** A turn of Node's event loop: all microtasks run before it comes. */
export const drain: Drain = () =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

export function simulateToy(
  options: Pick<ToyOptions, "seed" | "faults" | "plant" | "keepHistory">,
): Promise<ToyResult> {
  return runToy({
    ...options,
    drain,
    kernel: ({ clock, random }) => new SimMachine({ clock, random }).kernel(),
    credentials: () => PLAIN_CREDENTIALS,
    store: (clock, scope) => new MemoryStore({ clock, scope }),
  });
}
