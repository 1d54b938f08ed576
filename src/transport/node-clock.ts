import { performance } from "node:perf_hooks";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";

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
          reject(cutShort(`sleep ${durationMs} ms: ${scope.name} has ended`));
        });
        if (!scope?.ended) wait();
      }),
  };
}

/** Every call with a deadline ends like this: a trace of the calls that led here would cost more than the sleep. */
function cutShort(message: string): NetloomError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new NetloomError("CANCELLED", message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
