import { performance } from "node:perf_hooks";
import { NetloomError } from "../world/errors.ts";
import type { Clock } from "../world/world.ts";

/** What setTimeout takes at most: a signed 32-bit number of milliseconds. */
const LONGEST_MS = 0x7fff_ffff;

/** The time of this machine. */
export function nodeClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep: (durationMs, scope) =>
      new Promise((resolve, reject) => {
        const endsAtMs = performance.now() + durationMs;
        let timer: NodeJS.Timeout | undefined;
        const wait = (): void => {
          const leftMs = endsAtMs - performance.now();
          if (leftMs <= 0) {
            forget?.();
            resolve();
          } else timer = setTimeout(wait, Math.min(Math.ceil(leftMs), LONGEST_MS));
        };
        const forget = scope?.onEnd(() => {
          clearTimeout(timer);
          reject(new NetloomError("CANCELLED", `sleep ${durationMs} ms: ${scope.name} has ended`));
        });
        if (!scope?.ended) wait();
      }),
  };
}
