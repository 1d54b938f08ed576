/** Lets tasks that share a key run one after the other, in the order in which they came; others run side by side. */
export class KeyedMutex<K> {
  /** The end of the last task that was taken in, by key. */
  readonly #last = new Map<K, Promise<void>>();

  async take<T>(keys: readonly K[], task: () => Promise<T>): Promise<T> {
    const before = keys.map((key) => this.#last.get(key)).filter((end) => end !== undefined);
    const { promise: end, resolve } = Promise.withResolvers<void>();
    for (const key of keys) this.#last.set(key, end);
    try {
      await Promise.all(before);
      return await task();
    } finally {
      for (const key of keys) if (this.#last.get(key) === end) this.#last.delete(key);
      resolve();
    }
  }
}
