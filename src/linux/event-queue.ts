/** Spreads the events of one kernel to all who watch it. */
import type { KernelEvent, Watch } from "../world/kernel.ts";

/** A watcher that falls so far behind loses its events and is told to observe again. */
const MAX_QUEUED = 10_000;

interface Watcher {
  readonly queued: KernelEvent[];
  readonly waiting: ((event: KernelEvent | undefined) => void)[];
}

export class EventQueue {
  readonly #watchers = new Set<Watcher>();
  readonly #onWatched: (isWatched: boolean) => void;

  /** `onWatched` is called when the first watch opens and when the last one closes. */
  constructor(onWatched: (isWatched: boolean) => void) {
    this.#onWatched = onWatched;
  }

  get isWatched(): boolean {
    return this.#watchers.size > 0;
  }

  push(event: KernelEvent): void {
    for (const watcher of this.#watchers) {
      const next = watcher.waiting.shift();
      if (next) next(event);
      else if (watcher.queued.length < MAX_QUEUED) watcher.queued.push(event);
      else watcher.queued.splice(0, MAX_QUEUED, { type: "resync", reason: "the watcher is too slow" });
    }
  }

  watch(): Watch<KernelEvent> {
    const watcher: Watcher = { queued: [], waiting: [] };
    this.#watchers.add(watcher);
    if (this.#watchers.size === 1) this.#onWatched(true);
    return {
      next: () => {
        const event = watcher.queued.shift();
        if (event || !this.#watchers.has(watcher)) return Promise.resolve(event);
        return new Promise((resolve) => {
          watcher.waiting.push(resolve);
        });
      },
      close: () => {
        if (this.#watchers.has(watcher)) this.#close(watcher);
      },
    };
  }

  closeAll(): void {
    for (const watcher of this.#watchers) this.#close(watcher);
  }

  #close(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    watcher.queued.length = 0;
    for (const next of watcher.waiting.splice(0)) next(undefined);
    if (this.#watchers.size === 0) this.#onWatched(false);
  }
}
