import type { Clock } from "./clock.ts";
import type { Scope } from "./scope.ts";
import { race } from "./task-scope.ts";

/** Wakes one task that waits for an event or for time to pass, whichever comes first. */
export class Signal {
  #wake: (() => void) | undefined;
  #hasRung = false;

  ring(): void {
    this.#hasRung = true;
    this.#wake?.();
  }

  /**
   * Resolves when the signal rings or has rung since the last call, after `durationMs` (may be infinite), or when `scope`
   * ends.
   */
  async wait(clock: Clock, scope: Scope, durationMs: number): Promise<void> {
    if (!this.#hasRung && durationMs > 0 && !scope.ended) {
      const rung = new Promise<void>((resolve) => (this.#wake = resolve));
      const nap = scope.child("nap");
      const forget = scope.onEnd(() => this.#wake?.());
      try {
        await race(durationMs === Infinity ? [rung] : [rung, clock.sleep(durationMs, nap)]);
      } catch (error) {
        // The end of the scope cancels the sleep before `onEnd` wakes the signal.
        if (!scope.ended) throw error;
      } finally {
        forget();
        await nap.end();
      }
    }
    this.#wake = undefined;
    this.#hasRung = false;
  }
}
