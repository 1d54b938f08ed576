/** A queue of items whose expiry time is postponed again and again. */

/** Items that expire within the same interval are checked together. */
const RESOLUTION_MS = 100;

/** The slot of an item that is in no queue. A small integer saves memory: there may be a million items. */
export const NO_SLOT = 2 ** 30;

export interface Expiring {
  /** Expiry time, on the owner's clock. */
  endsAtMs: number;
  /** Managed by the queue. Starts as `NO_SLOT`. */
  slot: number;
}

/**
 * Guarantees
 * - Postponing costs the same with one item and with a million: the item stays in its old slot, and moves when that slot
 * comes up.
 * - An item is taken out once, at `nextMs`: at the latest 100 ms after its expiry, and never before it.
 */
export class ExpiryQueue<T extends Expiring> {
  readonly #slots = new Map<number, Set<T>>();
  #earliest = NO_SLOT;

  /** The next time at which an item may expire. `Infinity` if the queue is empty. */
  get nextMs(): number {
    return this.#earliest === NO_SLOT ? Infinity : this.#earliest * RESOLUTION_MS;
  }

  /** Call after setting `endsAtMs`. True if `nextMs` is now earlier. */
  schedule(item: T): boolean {
    const slot = Math.ceil(item.endsAtMs / RESOLUTION_MS);
    // A postponed item stays in its earlier slot: `takeEnded` moves it on.
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

  /** Removes and returns the items that have expired by `nowMs`. */
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
