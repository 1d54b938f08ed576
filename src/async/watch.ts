/** A subscription. `next` resolves with `undefined` after `close`. */
export interface Watch<T> {
  next(): Promise<T | undefined>;
  close(): void;
}
