import type { Scope } from "../world/scope.ts";
import { NetloomError } from "../world/errors.ts";

/** Lets so many through at a time, in the order of their coming: what thousands want at once is not begun at once. */
export class Turnstile {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** CANCELLED if `scope` ends before its turn has come. */
  async pass<T>(scope: Scope, task: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      if (scope.ended) throw new NetloomError("CANCELLED", `wait for a turn: ${scope.name} has ended`);
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}
