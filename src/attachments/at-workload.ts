import type { Scope } from "../async/scope.ts";
import type { There } from "../resolvers/workload-watch.ts";
import type { Progress } from "./progress.ts";
import type { Workload } from "./workloads.ts";

export interface AtWorkloadOptions {
  readonly workload: Workload;
  readonly progress: Progress;
  readonly scope: Scope;
}

/**
 * Waits for the workload and reports why, then calls `work`, until `scope` ends. `work` returns when the workload has
 * changed, or to be called again.
 */
export async function atWorkload(
  { workload, progress, scope }: AtWorkloadOptions,
  work: (presence: There) => Promise<void>,
): Promise<void> {
  while (!scope.ended) {
    const { presence } = workload;
    if (presence.isThere) {
      await work(presence);
      continue;
    }
    progress.waiting(presence.reason, presence.error);
    await workload.changed(presence, scope);
  }
}
