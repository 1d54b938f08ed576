/** The repairs of each wire, with a rate limit: a fight with another program must not become a busy loop. */
import type { Clock } from "../../async/clock.ts";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Operation } from "../../kernel/kernel.ts";
import { isMarked } from "../../kernel/objects.ts";

/** The repairs of a wire since the start of the agent. */
export interface Mended {
  readonly count: number;
  /** Time of the last repair, on `Clock.wallMs`. */
  readonly lastMs: number;
  /** The last repair in words: `add up to-db, and 3 more`. */
  readonly what: string;
}

/** The number of repairs of a wire without a delay; after them one in `REFILL_MS`. */
const AT_ONCE = 30;
const REFILL_MS = 10_000;

interface Account {
  mended: Mended;
  /** Time when all of `AT_ONCE` are available again, on `Clock.monotonicMs`. */
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

  /** The wait before the next repair of the wire. More than 0 means that another program keeps changing it. */
  waitMs(wire: string): number {
    const fullAtMs = this.#accounts.get(wire)?.fullAtMs ?? 0;
    return Math.max(0, fullAtMs - this.#clock.monotonicMs() - (AT_ONCE - 1) * REFILL_MS);
  }

  /** Records a repair. Returns it in words if this sort of repair was not reported yet. */
  note(wire: string, done: readonly Operation[]): string | undefined {
    // Settings are restored together with the objects that use them, and do not show what was changed.
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

  /** Forgets a wire that is gone. */
  forget(wire: string): void {
    this.#accounts.delete(wire);
  }
}
