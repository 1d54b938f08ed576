/** Distributes the events of one kernel to its watches. */
import {
  isServedBy,
  type KernelEvent,
  purposeOf,
  WATCH_PURPOSES,
  type WatchPurpose,
} from "../../kernel/kernel.ts";
import { type Watch, watchOf } from "../../async/watch.ts";

/** A watch with this many unread events loses them and gets a `resync`. */
const WATCH_LIMIT = 10_000;

interface Watcher {
  readonly purpose: WatchPurpose;
  readonly queued: KernelEvent[];
  readonly waiting: ((event: KernelEvent | undefined) => void)[];
}

export class KernelWatchers {
  readonly #watchers = new Set<Watcher>();
  readonly #onPurpose: (purpose: WatchPurpose | undefined) => void;
  readonly #limit: number;
  #purpose: WatchPurpose | undefined;

  /** `onPurpose` is called when the common purpose of all watches changes. */
  constructor(onPurpose: (purpose: WatchPurpose | undefined) => void, limit: number = WATCH_LIMIT) {
    this.#onPurpose = onPurpose;
    this.#limit = limit;
  }

  /** The widest purpose of all watches; `undefined` without watches. */
  get purpose(): WatchPurpose | undefined {
    return this.#purpose;
  }

  push(event: KernelEvent): void {
    const least = purposeOf(event);
    for (const watcher of this.#watchers) {
      if (!isServedBy(least, watcher.purpose)) continue;
      const next = watcher.waiting.shift();
      if (next) next(event);
      else if (watcher.queued.length < this.#limit) watcher.queued.push(event);
      else watcher.queued.splice(0, this.#limit, { type: "resync", reason: "the watcher is too slow" });
    }
  }

  watch(purpose: WatchPurpose = "everything"): Watch<KernelEvent> {
    const watcher: Watcher = { purpose, queued: [], waiting: [] };
    this.#watchers.add(watcher);
    this.#review();
    return watchOf({
      take: () => {
        const event = watcher.queued.shift();
        if (event || !this.#watchers.has(watcher)) return Promise.resolve(event);
        return new Promise((resolve) => {
          watcher.waiting.push(resolve);
        });
      },
      close: () => {
        if (this.#watchers.has(watcher)) this.#close(watcher);
      },
    });
  }

  closeAll(): void {
    for (const watcher of this.#watchers) this.#close(watcher);
  }

  #close(watcher: Watcher): void {
    this.#watchers.delete(watcher);
    watcher.queued.length = 0;
    for (const next of watcher.waiting.splice(0)) next(undefined);
    this.#review();
  }

  #review(): void {
    const purposes = new Set([...this.#watchers].map(({ purpose }) => purpose));
    const purpose = WATCH_PURPOSES.findLast((each) => purposes.has(each));
    if (purpose === this.#purpose) return;
    this.#purpose = purpose;
    this.#onPurpose(purpose);
  }
}
