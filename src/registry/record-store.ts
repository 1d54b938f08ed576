/**
 * Records by name in a store of which a call may fail and be carried out all the same, or late.
 *
 * Guarantees
 * - A write changes only what its writer has seen: one that comes late, after another, changes nothing.
 * - After a call with an unknown outcome the store is asked what it has before the next write of that name.
 */
import { NetloomError } from "../errors/errors.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { Store, StoreEntry } from "../world/store.ts";

/** How long the store rests before it is told to forget again. Longer than a write can be under way. */
const RETRY_MS = 5000;

/** Writes that are tried when late ones of before come between. */
const MAX_ATTEMPTS = 3;

export class RecordStore {
  readonly #world: World;
  readonly #store: Store;
  readonly #prefix: string;
  /** Names of which the store may have something else than was seen. */
  readonly #uncertain = new Set<string>();
  /** Names that the store may have and should not. */
  readonly #owed = new Set<string>();
  #isForgetting = false;

  /** `prefix` is where the records are: `endpoints/`. */
  constructor(world: World, store: Store, prefix: string) {
    this.#world = world;
    this.#store = store;
    this.#prefix = prefix;
  }

  async list(): Promise<readonly StoreEntry[]> {
    return (await this.#store.list(this.#prefix)).entries;
  }

  isUncertain(name: string): boolean {
    return this.#uncertain.has(name);
  }

  /** Replaces what was seen with this revision (0: nothing). Returns the new one. */
  async put(name: string, value: Uint8Array, seen: number): Promise<number> {
    const revision = await this.#write(name, seen, (expectedRevision) =>
      this.#store.put(this.#key(name), value, { expectedRevision }),
    );
    this.#owed.delete(name);
    return revision;
  }

  async delete(name: string, seen: number): Promise<void> {
    await this.#write(name, seen, async (expectedRevision) => {
      if (expectedRevision !== 0) await this.#store.delete(this.#key(name), { expectedRevision });
      return 0;
    });
  }

  /** Deletes what may be there of a name, as soon as that is possible, unless it is put before. */
  forget(name: string): void {
    this.#uncertain.add(name);
    this.#owed.add(name);
    if (this.#isForgetting || this.#world.scope.ended) return;
    this.#isForgetting = true;
    this.#world.scope.spawn(`forget ${this.#prefix}`, (scope) => this.#forgetAll(scope));
  }

  async #forgetAll(scope: Scope): Promise<void> {
    while (this.#owed.size > 0) {
      await this.#world.clock.sleep(RETRY_MS, scope);
      for (const name of this.#owed) {
        try {
          const { revision = 0 } = (await this.#store.get(this.#key(name))) ?? {};
          if (!this.#owed.has(name)) continue;
          if (revision !== 0) await this.#store.delete(this.#key(name), { expectedRevision: revision });
          this.#owed.delete(name);
        } catch (error) {
          if (!(error instanceof NetloomError)) throw error;
        }
      }
    }
    this.#isForgetting = false;
  }

  async #write(name: string, seen: number, write: (expected: number) => Promise<number>): Promise<number> {
    for (let attempt = 1; ; attempt++) {
      try {
        const isSeen = attempt === 1 && !this.#uncertain.has(name);
        const expected = isSeen ? seen : ((await this.#store.get(this.#key(name)))?.revision ?? 0);
        const revision = await write(expected);
        this.#uncertain.delete(name);
        return revision;
      } catch (error) {
        if (hasUnknownOutcome(error)) this.#uncertain.add(name);
        const isOvertaken = error instanceof NetloomError && error.code === "ABORTED";
        if (!isOvertaken || attempt === MAX_ATTEMPTS) throw error;
      }
    }
  }

  #key(name: string): string {
    return `${this.#prefix}${name}`;
  }
}

/** May a write that ended so have happened, or one before it? */
export function hasUnknownOutcome(error: unknown): boolean {
  return (
    !(error instanceof NetloomError) ||
    ["DEADLINE_EXCEEDED", "UNAVAILABLE", "CANCELLED", "INTERNAL", "ABORTED"].includes(error.code)
  );
}
