import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";

/** Time that passes when a test says so. */
export class HandClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number, scope?: Parameters<Clock["sleep"]>[1]): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.#nowMs + durationMs, wake: resolve };
      this.#sleepers.add(sleeper);
      scope?.onEnd(() => {
        this.#sleepers.delete(sleeper);
        reject(new NetloomError("CANCELLED", "sleep: the scope has ended"));
      });
    });
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs;
    for (const sleeper of this.#sleepers) {
      if (sleeper.atMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}
