/** One delayed action, for elements that act on their own: a refresh, a time-out, a heal. */
import { hasCode, NetloomError } from "../errors/errors.ts";
import type { Scope } from "./scope.ts";
import type { Clock } from "./clock.ts";

/** Runs one action after a delay. `set` replaces an action that has not begun, `stop` cancels it. */
export class Alarm {
  readonly #scope: Scope;
  readonly #clock: Clock;
  readonly #onError: (name: string, error: NetloomError) => void;
  #sleep: Scope | undefined;

  /** Actions run as tasks of `scope` and end with it. `onError` gets the operating errors of actions. */
  constructor(scope: Scope, clock: Clock, onError: (name: string, error: NetloomError) => void) {
    this.#scope = scope;
    this.#clock = clock;
    this.#onError = onError;
    this.#onError = onError;
  }

  set(name: string, delayMs: number, action: () => Promise<void>): void {
    this.stop();
    if (this.#scope.ended) return;
    const sleep = this.#scope.child(name);
    this.#sleep = sleep;
    this.#scope.spawn(name, async () => {
      try {
        await this.#clock.sleep(Math.max(0, delayMs), sleep);
      } catch (error) {
        // The alarm was set again or stopped.
        if (!hasCode(error, "CANCELLED")) throw error;
      } finally {
        await sleep.end();
      }
      if (this.#sleep !== sleep) return;
      this.#sleep = undefined;
      try {
        await action();
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        this.#onError(name, error);
      }
    });
  }

  stop(): void {
    const sleep = this.#sleep;
    this.#sleep = undefined;
    if (sleep && !this.#scope.ended) this.#scope.spawn(`stop ${sleep.name}`, () => sleep.end());
  }
}
