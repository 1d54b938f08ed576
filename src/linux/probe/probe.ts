/**
 * Probes the features of this kernel by trying them in a network namespace that ends with the thread of the trials. Nothing
 * is left behind, except that the kernel may have loaded a module.
 */
import type { Feature } from "./feature.ts";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { KernelError } from "../../kernel/kernel.ts";
import { FEATURES } from "./probe-features.ts";
import type { TrialOutcome } from "./probe-trials.ts";

const WORKER = new URL(`./probe-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/** Tries every feature. Takes about a quarter of a second. PERMISSION_DENIED without root. */
export async function probe(): Promise<Feature[]> {
  const worker = new Worker(WORKER, { name: "probe", execArgv: [] });
  const ended = once(worker, "exit");
  let outcomes: readonly TrialOutcome[] | { readonly errno: string } | undefined;
  worker.once("message", (message: typeof outcomes) => {
    outcomes = message;
  });
  await ended;
  if (outcomes === undefined || !("length" in outcomes)) {
    throw new KernelError("PERMISSION_DENIED", `probe the kernel: ${outcomes?.errno ?? "the thread died"}`, {
      hint: "run as root",
    });
  }
  return featuresOf(outcomes);
}

/** The features with these outcomes, in the order of the table. */
export function featuresOf(outcomes: readonly TrialOutcome[]): Feature[] {
  return FEATURES.map(({ name, use, since, effect, remedy }, index) => {
    const { supported, evidence } = outcomes[index] ?? { supported: false, evidence: "not tried" };
    const required = use === "every wire" || use === "remote wires";
    return { name, supported, use, required, since, effect, evidence, remedy };
  });
}

/** The required features that this kernel lacks. Empty on a usual kernel from Linux 5.19 on. */
export function missing(features: readonly Feature[]): Feature[] {
  return features.filter((feature) => feature.required && !feature.supported);
}
