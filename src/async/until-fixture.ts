/**
 * How tests wait for what nothing tells them of. No test looks at a clock or sleeps (scripts/house-rules.ts): its verdict
 * must be the same on a machine that is busy. What hangs is ended by the runner.
 */
import { setTimeout as sleep } from "node:timers/promises";

const POLL_MS = 10;
/** Far more than anything takes: so that the last error is told, not only that a test hung. */
const HANG_MS = 120_000;

/** Resolves with what `look` returns once that is neither false nor undefined, and looked at without an error. */
export async function until<T>(look: () => T | Promise<T>): Promise<Exclude<T, false | undefined>> {
  const giveUpAt = performance.now() + HANG_MS;
  for (;;) {
    try {
      const found = await look();
      if (found !== false && found !== undefined) return found as Exclude<T, false | undefined>;
      if (performance.now() > giveUpAt) throw new Error(`never came: ${look.toString()}`);
    } catch (error) {
      if (performance.now() > giveUpAt) throw error;
    }
    await sleep(POLL_MS);
  }
}

/** Some moment at which something is killed, or looked at in vain. No verdict may depend on it. */
export function moment(afterMs: number): Promise<void> {
  return sleep(afterMs);
}

/** Takes so much of the processor's time, as a handler that computes does; on a busy machine that lasts longer. */
export function spin(durationMs: number): void {
  const before = process.threadCpuUsage();
  for (;;) {
    const { user, system } = process.threadCpuUsage(before);
    if ((user + system) / 1000 >= durationMs) return;
  }
}

/** How long a task takes, to find moments within it. Never to judge it: that is for bench. */
export async function lengthOf(task: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await task();
  return performance.now() - startedAt;
}
