/** The thread of probe.ts: enters a new namespace, runs all trials, and ends with the namespace. */
import { parentPort } from "node:worker_threads";
import { KernelError } from "../../kernel/kernel.ts";
import { FEATURES } from "./probe-features.ts";
import { type TrialOutcome, prepareNamespace, tryFeature } from "./probe-trials.ts";
import { unshareNetns } from "../libc/syscall.ts";

function outcomes(): TrialOutcome[] | { errno: string } {
  try {
    unshareNetns();
    prepareNamespace();
    return FEATURES.map(({ trial }) => tryFeature(trial));
  } catch (error) {
    return { errno: error instanceof KernelError ? (error.errno ?? error.message) : String(error) };
  }
}

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
parentPort?.postMessage(outcomes());
