import { performance } from "node:perf_hooks";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";

/** What setTimeout takes at most: a signed 32-bit number of milliseconds. */
const LONGEST_MS = 0x7fff_ffff;

/** From the beginning of a process's own time to that of CLOCK_MONOTONIC, which all processes of a host share. */
function sinceStartMs(): number {
  return Number(process.hrtime.bigint()) / 1e6 - performance.now();
}

/** The time of this machine. Its monotonic time is that of every process of the host, clock_gettime(2). */
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
