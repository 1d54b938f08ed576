/** What is under way for a key. */
interface Ends {
  /** Of the last task that has taken it. */
  taken: Promise<void> | undefined;
  /** Of those that have shared it since. */
  readonly shared: Set<Promise<void>>;
}

/**
 * Lets tasks that take the same key run one after the other, in the order in which they came; others run side by side. Tasks that
 * share it run side by side, too, between those that take it.
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
