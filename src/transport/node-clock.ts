import { performance } from "node:perf_hooks";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";

/** The longest time for setTimeout: a signed 32-bit number of milliseconds. */
const LONGEST_MS = 0x7fff_ffff;

/** Difference between the process's own time and CLOCK_MONOTONIC, which all processes of a host share. */
function sinceStartMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}

/** The clock of this machine. Its monotonic time is clock_gettime(2)'s, the same for every process of the host. */
export function nodeClock(): Clock {
  const offsetMs = sinceStartMs();
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => offsetMs + performance.now(),
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

/**
 * An error without a stack, because every call with a deadline ends like this: the stack would cost more than the
 * sleep.
 */
function cutShort(message: string): NetloomError {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return new NetloomError("CANCELLED", message);
  } finally {
    Error.stackTraceLimit = limit;
  }
}
