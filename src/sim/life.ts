import { NetloomError } from "../errors/errors.ts";
import type { Scheduler } from "./scheduler.ts";

/** An event of one host: see `Scheduler.after`. */
export interface LifeEvent {
  readonly kind: string;
  readonly detail?: string;
  readonly delayMs?: number;
}

/**
 * One life of a host's process, from its start to its crash. Every promise of a simulated World is made here, so that none
 * of them settles after the end of the life (rule R6).
 */
export class Life {
  readonly host: string;
  /** The number of earlier starts of the host. */
  readonly number: number;
  readonly scheduler: Scheduler;
  readonly #onEnd = new Set<() => void>();
  readonly #waiting = new Map<number, string>();
  #calls = 0;
  #alive = true;

  constructor(scheduler: Scheduler, host: string, number: number) {
    this.scheduler = scheduler;
    this.host = host;
    this.number = number;
    this.onEnd(scheduler.onStuck(() => [...this.#waiting.values()].map((what) => `${host}: ${what}`)));
  }

  get alive(): boolean {
    return this.#alive;
  }

  /** The number of calls that this life has made. */
  get calls(): number {
    return this.#calls;
  }

  /** Asserts that the host is alive. A World must not be used after its life. */
  check(kind: string): void {
    if (!this.#alive) throw new Error(`${kind} on ${this.host}, which has crashed: its World leaked`);
    this.#calls += 1;
  }

  /** Runs `action` later in this life. Returns a function that cancels it. */
  after(event: LifeEvent, action: () => string | void): () => void {
    const { kind, detail = "", delayMs = 0 } = event;
    const cancel = this.scheduler.after(delayMs, { host: this.host, kind, detail }, () => {
      forget();
      return action();
    });
    const forget = this.onEnd(cancel);
    return () => {
      forget();
      cancel();
    };
  }

  /** Runs `effect` and settles the promise in one separate event. */
  call<T>(event: LifeEvent, effect: () => T): Promise<T> {
    return this.promise(event, (resolve, reject) => {
      this.after(event, () => {
        try {
          return resolve(effect());
        } catch (error) {
          return reject(error);
        }
      });
    });
  }

  /** Delivers the outcome of an outside promise to this life, in a separate event. */
  deliver<T>(event: LifeEvent, promise: Promise<T>): Promise<T> {
    return this.promise(event, (resolve, reject) => {
      const arrive = (settle: () => string | void): void => {
        if (this.#alive) this.after(event, settle);
      };
      promise.then(
        (value) => arrive(() => resolve(value)),
        (error: unknown) => arrive(() => reject(error)),
      );
    });
  }

  /**
   * A promise of this life. `start` arranges for `resolve` or `reject` to be called in an event; `reject` returns the
   * error's code for the history. An error other than NetloomError fails the run.
   */
  promise<T>(
    event: LifeEvent,
    start: (resolve: (value: T) => void, reject: (error: unknown) => string) => void,
  ): Promise<T> {
    this.check(event.kind);
    const number = this.#calls;
    this.#waiting.set(number, event.detail ? `${event.kind} ${event.detail}` : event.kind);
    return new Promise((resolve, reject) => {
      start(
        (value) => {
          this.#waiting.delete(number);
          resolve(value);
        },
        (error) => {
          this.#waiting.delete(number);
          reject(error);
          return this.codeOf(error);
        },
      );
    });
  }

  /** The code of an operating error, for the history. Any other error is a bug, and fails the run. */
  codeOf(error: unknown): string {
    if (error instanceof NetloomError) return error.code;
    this.scheduler.fail(error);
    return "assertion";
  }

  /** Calls `action` when the life ends. The result cancels the registration. */
  onEnd(action: () => void): () => void {
    this.#onEnd.add(action);
    return () => this.#onEnd.delete(action);
  }

  end(): void {
    this.#alive = false;
    for (const action of this.#onEnd) action();
    this.#onEnd.clear();
    this.#waiting.clear();
  }
}
