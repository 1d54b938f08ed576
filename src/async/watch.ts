/** Subscriptions: streams of items, one after the other. */
import type { Scope } from "./scope.ts";

/** Produces the items of a watch, and closes it. */
export interface WatchSource<T> {
  take(): Promise<T | undefined>;
  close(): void;
}

/**
 * A subscription. `for await` reads it, and closes it when the loop ends for any reason.
 *
 * `close` settles a pending `take`, so one task may end a watch that another task waits for. The `return` of an async
 * generator would wait for the pending `next` instead.
 */
export abstract class Watch<T> implements AsyncIterable<T, undefined, undefined> {
  /** The next item; `undefined` after the last one and after `close`. Rejects when the subscription breaks. */
  abstract take(): Promise<T | undefined>;
  /** Ends the watch: a pending `take` resolves with `undefined`. May be called again. */
  abstract close(): void;

  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return iterator(this, () => this.close());
  }

  /** Iterates until `scope` ends: its end closes the watch, and the loop ends without an error. */
  within(scope: Scope): AsyncIterable<T, undefined, undefined> {
    const forget = scope.onEnd(() => this.close());
    return {
      [Symbol.asyncIterator]: () =>
        iterator(this, () => {
          forget();
          this.close();
        }),
    };
  }

  /** Reads all items up to the end. */
  async all(): Promise<T[]> {
    const items: T[] = [];
    for await (const item of this) items.push(item);
    return items;
  }

  /** A watch of the results of `change` for each item. `undefined` drops the item. */
  map<U>(change: (item: T) => U | undefined): Watch<U> {
    return watchOf({
      take: async () => {
        for (let item = await this.take(); item !== undefined; item = await this.take()) {
          const changed = change(item);
          if (changed !== undefined) return changed;
        }
        return undefined;
      },
      close: () => this.close(),
    });
  }
}

/** A watch of the items of `source`. */
export function watchOf<T>(source: WatchSource<T>): Watch<T> {
  return new SourceWatch(source);
}

class SourceWatch<T> extends Watch<T> {
  readonly #source: WatchSource<T>;

  constructor(source: WatchSource<T>) {
    super();
    this.#source = source;
  }

  take(): Promise<T | undefined> {
    return this.#source.take();
  }

  close(): void {
    this.#source.close();
  }
}

/** Reads `watch`. `end` is called once, on completion, on an error, or on `return`. */
function iterator<T>(watch: Watch<T>, end: () => void): AsyncIterator<T, undefined, undefined> {
  return {
    next: async () => {
      try {
        const value = await watch.take();
        if (value !== undefined) return { done: false, value };
      } catch (error) {
        end();
        throw error;
      }
      end();
      return { done: true, value: undefined };
    },
    return: () => {
      end();
      return Promise.resolve({ done: true, value: undefined });
    },
  };
}
