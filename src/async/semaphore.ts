import type { Scope } from "./scope.ts";
import { NetloomError } from "../errors/errors.ts";

/** Lets so many through at a time, in the order of their coming: what thousands want at once is not begun at once. */
export class Semaphore {
  #free: number;
  readonly #waiting = new Set<() => void>();

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** CANCELLED, at once, if `scope` ends before its turn has come. */
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

  /** False if the scope has ended before: then the place in the queue is given up, and no turn was taken. */
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
