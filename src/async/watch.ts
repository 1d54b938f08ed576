/** Subscriptions: whoever is told of something, one item after the other, has one of these. */
import type { Scope } from "./scope.ts";

/** The source of a watch: its items, and its end. */
export interface WatchSource<T> {
  take(): Promise<T | undefined>;
  close(): void;
}

/**
 * A subscription. `for await` reads it, and closes it when the loop is left, however.
 *
 * Unlike the `return` of an async generator, which waits for a `next` that is under way, `close` settles it: one task may
 * end what another waits for.
 */
export abstract class Watch<T> implements AsyncIterable<T, undefined, undefined> {
  /** The next item; `undefined` when there will be none, and after `close`. Rejects when the subscription breaks. */
  abstract take(): Promise<T | undefined>;
  /** Ends it: a `take` that waits resolves with `undefined`. May be called again. */
  abstract close(): void;

  [Symbol.asyncIterator](): AsyncIterator<T, undefined, undefined> {
    return iterator(this, () => this.close());
  }

  /** To read it for as long as `scope` goes on: the end of the scope closes it, and the loop ends without an error. */
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

  /** All items up to its end. */
  async all(): Promise<T[]> {
    const items: T[] = [];
    for await (const item of this) items.push(item);
    return items;
  }

  /** A watch of what `change` makes of each item; `undefined` leaves one out. */
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

/** A watch of what `source` gives. */
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

/** Reads `watch`. `end` is called once, however the reading ends. */
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
