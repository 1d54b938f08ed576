/** What will happen. */
export interface QueuedEvent {
  readonly timeMs: number;
  /** Shuffles what happens at the same time. */
  readonly tie: number;
  /** Decides the rest: the number of the event. */
  readonly sequence: number;
  readonly host: string;
  readonly what: string;
  /** Returns how it ended, for the history. `undefined` once it has been cancelled. */
  action: (() => string | void) | undefined;
}

function isBefore(a: QueuedEvent, b: QueuedEvent): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  return a.tie === b.tie ? a.sequence < b.sequence : a.tie < b.tie;
}

/** A binary heap, by (time, tie). What was cancelled is dropped when its turn comes. */
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

  /** Takes out the next event that has not been cancelled. */
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
