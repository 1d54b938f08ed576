/** Counts operations that a process keeps retrying, so that no endless retry stays unseen. */
import type { Clock } from "../async/clock.ts";

/** An operation that fails and is retried. */
export interface Retrying {
  /** The attempt and its object: `remove wire web-db`. */
  readonly what: string;
  /** Time of the first failure, on `Clock.wallMs`. */
  readonly sinceMs: number;
  readonly failures: number;
  /** Reason of the last failure. */
  readonly reason: string;
}

export class Retries {
  readonly #clock: Clock;
  readonly #retrying = new Map<string, Retrying>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts a failed attempt that will be retried. Returns the number of failures in a row. */
  failed(what: string, error: Error): number {
    const before = this.#retrying.get(what);
    const failures = (before?.failures ?? 0) + 1;
    const sinceMs = before?.sinceMs ?? this.#clock.wallMs();
    this.#retrying.set(what, { what, sinceMs, failures, reason: error.message });
    return failures;
  }

  /** Forgets an operation that succeeded or is no longer wanted. */
  over(what: string): void {
    this.#retrying.delete(what);
  }

  /** The oldest first. */
  list(): Retrying[] {
    return [...this.#retrying.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  }
}
