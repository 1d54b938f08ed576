/** The ends of the unfinished tasks of a key. */
interface Ends {
  /** The end of the last task that took the key. */
  taken: Promise<void> | undefined;
  /** The ends of the tasks that have shared the key since. */
  readonly shared: Set<Promise<void>>;
}

/**
 * A lock per key. Tasks that `take` the same key run one after the other, in the order of their calls. Tasks that `share` a
 * key run side by side, between the tasks that take it. Tasks with different keys run side by side.
 */
export class KeyedMutex<K> {
  readonly #ends = new Map<K, Ends>();

  async take<T>(keys: readonly K[], task: () => Promise<T>): Promise<T> {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const before: Promise<void>[] = [];
    const mine = new Map<K, Ends>();
    for (const key of new Set(keys)) {
      const { taken, shared = [] } = this.#ends.get(key) ?? {};
      before.push(...(taken ? [taken] : []), ...shared);
      const ends: Ends = { taken: end, shared: new Set() };
      this.#ends.set(key, ends);
      mine.set(key, ends);
    }
    try {
      await Promise.all(before);
      return await task();
    } finally {
      for (const [key, ends] of mine) {
        ends.taken = undefined;
        this.#forget(key, ends);
      }
      resolve();
    }
  }

  async share<T>(keys: readonly K[], task: () => Promise<T>): Promise<T> {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    const before: Promise<void>[] = [];
    const joined = new Map<K, Ends>();
    for (const key of new Set(keys)) {
      const ends = this.#ends.get(key) ?? { taken: undefined, shared: new Set() };
      if (ends.taken) before.push(ends.taken);
      ends.shared.add(end);
      this.#ends.set(key, ends);
      joined.set(key, ends);
    }
    try {
      await Promise.all(before);
      return await task();
    } finally {
      for (const [key, ends] of joined) {
        ends.shared.delete(end);
        this.#forget(key, ends);
      }
      resolve();
    }
  }

  #forget(key: K, ends: Ends): void {
    if (ends.taken === undefined && ends.shared.size === 0 && this.#ends.get(key) === ends)
      this.#ends.delete(key);
  }
}
