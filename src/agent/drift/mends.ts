/** What was put right of each wire, and whether it may be put right again already: a fight is no busy loop. */
import type { Clock } from "../../async/clock.ts";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Operation } from "../../kernel/kernel.ts";
import { isMarked } from "../../kernel/objects.ts";

/** What was put right of a wire since its agent has started. */
export interface Mended {
  readonly count: number;
  /** The last time, on `Clock.wallMs`. */
  readonly lastMs: number;
  /** What was done then: `add up to-db, and 3 more`. */
  readonly what: string;
}

/** So often in a row a wire is put right at once; after that once in `REFILL_MS`. */
const AT_ONCE = 30;
const REFILL_MS = 10_000;

interface Account {
  mended: Mended;
  /** On `Clock.monotonicMs`: when all of `AT_ONCE` would be there again. */
  fullAtMs: number;
  readonly told: Set<string>;
}

export class Mends {
  readonly #clock: Clock;
  readonly #accounts = new Map<string, Account>();
  #total = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get total(): number {
    return this.#total;
  }

  of(wire: string): Mended | undefined {
    return this.#accounts.get(wire)?.mended;
  }

  /** How long the next mend of the wire has to wait. More than 0: somebody changes it back each time. */
  waitMs(wire: string): number {
    const fullAtMs = this.#accounts.get(wire)?.fullAtMs ?? 0;
    return Math.max(0, fullAtMs - this.#clock.monotonicMs() - (AT_ONCE - 1) * REFILL_MS);
  }

  /** Returns what was done in words, if nobody was told of that yet. */
  note(wire: string, done: readonly Operation[]): string | undefined {
    // Settings come along with what uses them: they tell nothing of what was amiss.
    const first = done.find(({ object }) => isMarked(object)) ?? done[0];
    if (!first) return undefined;
    this.#total += 1;
    const account = this.#accounts.get(wire);
    const more = done.length > 1 ? `, and ${done.length - 1} more` : "";
    const what = `${describeOperation(first)}${more}`;
    const mended = { count: (account?.mended.count ?? 0) + 1, lastMs: this.#clock.wallMs(), what };
    const fullAtMs = Math.max(account?.fullAtMs ?? 0, this.#clock.monotonicMs()) + REFILL_MS;
    const told = account?.told ?? new Set<string>();
    this.#accounts.set(wire, { mended, fullAtMs, told });
    if (told.has(what)) return undefined;
    told.add(what);
    return what;
  }

  /** The wire is gone. */
  forget(wire: string): void {
    this.#accounts.delete(wire);
  }
}
