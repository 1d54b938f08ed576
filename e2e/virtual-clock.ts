/** A clock for tests of the simulated world: it jumps to the next sleeper as soon as nothing else is left to do. */
import type { Clock } from "../src/async/clock.ts";

export class VirtualClock implements Clock {
  #nowMs = 0;
  #sleepers: { readonly atMs: number; readonly wake: () => void }[] = [];
  #isTicking = false;

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number): Promise<void> {
    return new Promise((wake) => {
      this.#sleepers.push({ atMs: this.#nowMs + durationMs, wake });
      this.#tick();
    });
  }

  #tick(): void {
    if (this.#isTicking) return;
    this.#isTicking = true;
    setImmediate(() => {
      this.#isTicking = false;
      this.#sleepers.sort((a, b) => a.atMs - b.atMs);
      const next = this.#sleepers.shift();
      if (!next) return;
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      next.wake();
      if (this.#sleepers.length > 0) this.#tick();
    });
  }
}
