/** A scheduled event. */
export interface QueuedEvent {
  readonly timeMs: number;
  /** Random number that orders events of the same time. */
  readonly tie: number;
  /** Number of the event. Orders events of the same time and tie. */
  readonly sequence: number;
  readonly host: string;
  readonly what: string;
  /** Returns the outcome for the history. `undefined` once the event is cancelled. */
  action: (() => string | void) | undefined;
}

function isBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  return a.tie === b.tie ? a.sequence < b.sequence : a.tie < b.tie;
}

/** A binary heap by (time, tie). A cancelled event is dropped when its turn comes. */
export class EventQueue {
  readonly #heap: QueuedEvent[] = [];

  push(event: QueuedEvent): void {
    let index = this.#heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#heap[parent];
      if (!above || isBefore(above, event)) break;
      this.#heap[index] = above;
      index = parent;
    }
    this.#heap[index] = event;
  }

  /** Removes and returns the next event that is not cancelled. */
  pop(): QueuedEvent | undefined {
    for (;;) {
      const event = this.#popAny();
      if (!event || event.action) return event;
    }
  }

  #popAny(): QueuedEvent | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (!last || last === first) return first;
    let index = 0;
    for (;;) {
      const child = this.#smallerChild(index);
      const below = this.#heap[child];
      if (!below || !isBefore(below, last)) break;
      this.#heap[index] = below;
      index = child;
    }
    this.#heap[index] = last;
    return first;
  }

  #smallerChild(index: number): number {
    const left = this.#heap[2 * index + 1];
    const right = this.#heap[2 * index + 2];
    return left && right && isBefore(right, left) ? 2 * index + 2 : 2 * index + 1;
  }
}
