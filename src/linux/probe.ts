/**
 * What this kernel can do, found out by doing it in a network namespace that dies with the thread that tried: nothing
 * is left, except that the kernel may have loaded a module.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { KernelError } from "../kernel/kernel.ts";
import { FEATURES } from "./probe-features.ts";
import type { Outcome } from "./probe-trials.ts";

/** What of netloom needs a feature. A remote wire needs all that every wire needs, too. */
export type Use =
  | "every wire"
  | "remote wires"
  /** With the plan's option `localPrograms`. */
  | "programs of local wires"
  | "cables of a lab"
  | "debugging"
  | "nothing yet";

/** One feature of the kernel. */
export interface Feature {
  readonly name: string;
  readonly supported: boolean;
  readonly use: Use;
  /** Netloom cannot make wires, or none between hosts, without it. */
  readonly required: boolean;
  /** First Linux that has it: `6.6`. */
  readonly since: string;
  /** What it is for: what does not work without it. */
  readonly effect: string;
  /** How it was found out, with the kernel's own words: `made a link of kind geneve: EOPNOTSUPP: Unknown device type`. */
  readonly evidence: string;
  /** How to get it. */
  readonly remedy: string;
}

const WORKER = new URL(`./probe-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

/** Tries every feature. Takes about a quarter of a second. PERMISSION_DENIED without root. */
export async function probe(): Promise<Feature[]> {
  const worker = new Worker(WORKER, { name: "probe", execArgv: [] });
  const ended = once(worker, "exit");
  let outcomes: readonly Outcome[] | { readonly errno: string } | undefined;
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
export function featuresOf(outcomes: readonly Outcome[]): Feature[] {
  return FEATURES.map(({ name, use, since, effect, remedy }, index) => {
    const { supported, evidence } = outcomes[index] ?? { supported: false, evidence: "not tried" };
    const required = use === "every wire" || use === "remote wires";
    return { name, supported, use, required, since, effect, evidence, remedy };
  });
}

/** What netloom needs and this kernel lacks. Empty on a sound kernel from Linux 5.19 on. */
export function missing(features: readonly Feature[]): Feature[] {
  return features.filter((feature) => feature.required && !feature.supported);
}
