import type { Scope } from "./scope.ts";
import { NetloomError } from "../errors/errors.ts";

/** Runs at most `atOnce` tasks at a time, in order of arrival, so that thousands of requests do not start at once. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** Runs `task` when its turn comes. Rejects with CANCELLED at once if `scope` ends first. */
  async pass<T>(scope: Scope, task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else if (!(await this.#turn(scope))) throw cancelled(scope);
    try {
      if (scope.ended) throw cancelled(scope);
      return await task();
    } finally {
      const [next] = this.#waiting;
      if (next) next();
      else this.#free += 1;
    }
  }

  /** Waits for a turn. False if the scope ends first: the task has left the queue and holds no turn. */
  async #turn(scope: Scope): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const come = (): void => {
      this.#waiting.delete(come);
      resolve(true);
    };
    this.#waiting.add(come);
    const forget = scope.onEnd(() => {
      if (this.#waiting.delete(come)) resolve(false);
    });
    try {
      return await promise;
    } finally {
      forget();
    }
  }
}

function cancelled(scope: Scope): NetloomError {
  return new NetloomError("CANCELLED", `wait for a turn: ${scope.name} has ended`);
}
