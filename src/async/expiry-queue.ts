/** Things that end at a time which is put off again and again. */

/** Ends within the same interval are looked at together. */
const RESOLUTION_MS = 100;

/** Of what is in no queue. A small integer: there may be a million of them. */
export const NO_SLOT = 2 ** 30;

export interface Expiring {
  /** On a clock of the owner's. */
  endsAtMs: number;
  /** The queue's own; begins as `NO_SLOT`. */
  slot: number;
}

/**
 * Guarantees
 * - Putting an end off costs the same with one thing and with a million: it is found where it was, and moved on then.
 * - What has ended is taken out once, at `nextMs`, at the latest 100 ms after its end, and never before it.
 */
export class ExpiryQueue<T extends Expiring> {
  readonly #slots = new Map<number, Set<T>>();
  #earliest = NO_SLOT;

  /** When something may have ended, `Infinity` if nothing is in the queue. */
  get nextMs(): number {
    return this.#earliest === NO_SLOT ? Infinity : this.#earliest * RESOLUTION_MS;
  }

  /** After `endsAtMs` was set. True if it has brought `nextMs` forward. */
  schedule(item: T): boolean {
    const slot = Math.ceil(item.endsAtMs / RESOLUTION_MS);
    // One that ends later than before is found too early, and is put where it belongs then.
    if (item.slot <= slot) return false;
    this.#slots.get(item.slot)?.delete(item);
    item.slot = slot;
    let items = this.#slots.get(slot);
    if (!items) this.#slots.set(slot, (items = new Set()));
    items.add(item);
    if (slot >= this.#earliest) return false;
    this.#earliest = slot;
    return true;
  }

  drop(item: T): void {
    const items = this.#slots.get(item.slot);
    items?.delete(item);
    if (items?.size === 0) this.#slots.delete(item.slot);
    item.slot = NO_SLOT;
  }

  /** Takes out what has ended by `nowMs`, if `nextMs` has come. */
  takeEnded(nowMs: number): T[] {
    const ended: T[] = [];
    while (this.nextMs <= nowMs) {
      const items = this.#slots.get(this.#earliest) ?? new Set<T>();
      this.#slots.delete(this.#earliest);
      for (const item of items) {
        item.slot = NO_SLOT;
        if (item.endsAtMs <= nowMs) ended.push(item);
      }
      this.#earliest = NO_SLOT;
      for (const slot of this.#slots.keys()) this.#earliest = Math.min(this.#earliest, slot);
      for (const item of items) if (item.endsAtMs > nowMs) this.schedule(item);
    }
    return ended;
  }
}
