/** The means by which a process reports its state. Every World has them. */
import type { Clock } from "../async/clock.ts";
import { Gauges } from "./gauges.ts";
import { type Log, NO_LOG } from "./log.ts";
import { Retries } from "./retries.ts";
import { NO_TRACE, type Trace } from "./trace.ts";

export interface Observation {
  readonly log: Log;
  readonly trace: Trace;
  readonly gauges: Gauges;
  readonly retries: Retries;
}

/** Default: no log lines, and no spans. */
export function observation(
  clock: Clock,
  { log = NO_LOG, trace = NO_TRACE }: { readonly log?: Log; readonly trace?: Trace } = {},
): Observation {
  return { log, trace, gauges: new Gauges(), retries: new Retries(clock) };
}
