/** Counts the things that a process keeps trying, so that nothing is retried for ever without being seen. */
import type { Clock } from "../async/clock.ts";

/** Something that fails, and is tried again. */
export interface Retrying {
  /** `remove wire web-db`: what is attempted, on what. */
  readonly what: string;
  /** Since when, on `Clock.wallMs`. */
  readonly sinceMs: number;
  readonly failures: number;
  /** Why it failed last. */
  readonly reason: string;
}

export class Retries {
  readonly #clock: Clock;
  readonly #retrying = new Map<string, Retrying>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** An attempt has failed, and there will be another one. Returns how often that was in a row. */
  failed(what: string, error: Error): number {
    const before = this.#retrying.get(what);
    const failures = (before?.failures ?? 0) + 1;
    const sinceMs = before?.sinceMs ?? this.#clock.wallMs();
    this.#retrying.set(what, { what, sinceMs, failures, reason: error.message });
    return failures;
  }

  /** It has worked, or nobody wants it any more. */
  over(what: string): void {
    this.#retrying.delete(what);
  }

  /** The oldest first. */
  list(): Retrying[] {
    return [...this.#retrying.values()].sort((a, b) => a.sinceMs - b.sinceMs);
  }
}
