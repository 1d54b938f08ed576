/** One thing to do later, for elements that act on their own: a refresh, a time-out, a heal. */
import { hasCode, NetloomError } from "../errors/errors.ts";
import type { Scope } from "./scope.ts";
import type { Clock } from "./clock.ts";

/** Sleeps before one action at a time. Setting it again, or stopping it, takes back an action that has not begun. */
export class Alarm {
  readonly #scope: Scope;
  readonly #clock: Clock;
  readonly #onError: (name: string, error: NetloomError) => void;
  #sleep: Scope | undefined;

  /** The actions are tasks of `scope`, and are over when it ends. `onError` hears of an operating error of one. */
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
        // It was taken back.
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
