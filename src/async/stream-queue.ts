/** A bounded queue between a producer and `Watch.take`. */
import { Watch } from "./watch.ts";

/** The producer pauses when `push` returns false, and resumes when `onRoom` is called. */
export class StreamQueue<T> extends Watch<T> {
  readonly #items: T[] = [];
  readonly #limit: number;
  readonly #onRoom: () => void;
  readonly #onClose: () => void;
  #waiting:
    | { readonly resolve: (item: T | undefined) => void; readonly reject: (error: unknown) => void }
    | undefined;
  #isClosed = false;
  #end: { readonly error?: unknown } | undefined;

  constructor(options: {
    readonly limit: number;
    readonly onRoom: () => void;
    readonly onClose: () => void;
  }) {
    super();
    this.#limit = options.limit;
    this.#onRoom = options.onRoom;
    this.#onClose = options.onClose;
  }

  /** Adds an item. False if the producer should pause. */
  push(item: T): boolean {
    if (this.#end) return true;
    if (this.#waiting) {
      const { resolve } = this.#waiting;
      this.#waiting = undefined;
      resolve(item);
      return true;
    }
    this.#items.push(item);
    return this.#items.length < this.#limit;
  }

  /** Ends the stream: the consumer gets the queued items, then `error` once, if there is one. */
  finish(error?: unknown): void {
    if (this.#end) return;
    this.#end = error === undefined ? {} : { error };
    if (!this.#waiting) return;
    const { resolve, reject } = this.#waiting;
    this.#waiting = undefined;
    this.#end = {};
    if (error === undefined) resolve(undefined);
    else reject(error);
  }

  async take(): Promise<T | undefined> {
    const item = this.#items.shift();
    if (item !== undefined) {
      if (this.#items.length < this.#limit) this.#onRoom();
      return item;
    }
    const end = this.#end;
    if (end) {
      this.#end = {};
      if ("error" in end) throw end.error;
      return undefined;
    }
    return await new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#items.length = 0;
    this.finish();
    this.#onClose();
  }
}
