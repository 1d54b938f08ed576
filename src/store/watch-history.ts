import { NetloomError } from "../errors/errors.ts";
import { type Watch, watchOf } from "../async/watch.ts";
import type { StoreEvent } from "../world/store.ts";

/** An open watch. */
interface Reader {
  readonly prefix: string;
  readonly revision: number;
  /** Number of the next event to read, once the first call has found it. */
  position: number | undefined;
  isOpen: boolean;
  /** Ends the wait of `take`. */
  wake: () => void;
}

export interface WatchHistoryOptions {
  /** The number of past changes that a watch can start from. Default: 10,000. */
  readonly limit?: number;
  /** The last revision before this history begins. Default: 0. */
  readonly since?: number;
}

/**
 * The last changes of a store, for its watches. All watches read this one bounded list, so a slow watch uses no memory and
 * fails with FAILED_PRECONDITION when it has fallen behind.
 */
export class WatchHistory {
  readonly #limit: number;
  readonly #events: StoreEvent[] = [];
  readonly #readers = new Set<Reader>();
  /** Number of the first event that is still in the list. */
  #forgotten = 0;
  /** The last revision with a dropped event. */
  #compactedRevision: number;

  constructor({ limit = 10_000, since = 0 }: WatchHistoryOptions = {}) {
    this.#limit = limit;
    this.#compactedRevision = since;
  }

  /** Appends changes, whose revisions never decrease. */
  publish(events: readonly StoreEvent[]): void {
    if (events.length === 0) return;
    for (const event of events) this.#events.push(event);
    const surplus = this.#events.splice(0, Math.max(0, this.#events.length - this.#limit));
    const last = surplus.at(-1);
    if (last) this.#compactedRevision = revisionOf(last);
    this.#forgotten += surplus.length;
    for (const reader of this.#readers) reader.wake();
  }

  /** Drops all changes up to this revision, because some are unknown: all open watches fall behind and fail. */
  forget(revision: number): void {
    this.#forgotten += this.#events.length + 1;
    this.#events.length = 0;
    this.#compactedRevision = revision;
    for (const reader of this.#readers) reader.wake();
  }

  /** Implements `Store.watch`. Values are copies. */
  watch(prefix: string, revision: number): Watch<StoreEvent> {
    const reader: Reader = { prefix, revision, position: undefined, isOpen: true, wake: () => undefined };
    this.#readers.add(reader);
    return watchOf({
      take: async () => {
        while (reader.isOpen) {
          const event = this.#read(reader);
          if (event) return copyEvent(event);
          await new Promise<void>((resolve) => (reader.wake = resolve));
        }
        return undefined;
      },
      close: () => {
        reader.isOpen = false;
        this.#readers.delete(reader);
        reader.wake();
      },
    });
  }

  /** The next event for `reader`, if it has already happened. */
  #read(reader: Reader): StoreEvent | undefined {
    const { prefix, revision } = reader;
    if (
      reader.position === undefined ? revision < this.#compactedRevision : reader.position < this.#forgotten
    ) {
      throw new NetloomError("FAILED_PRECONDITION", `watch ${prefix}: the store has forgotten changes`, {
        hint: "list, and watch from the revision of the list",
      });
    }
    let position = reader.position ?? this.#positionAfter(revision);
    const end = this.#forgotten + this.#events.length;
    while (position < end) {
      const event = this.#events[position - this.#forgotten];
      position += 1;
      reader.position = position;
      if (event && keyOf(event).startsWith(prefix)) return event;
    }
    reader.position = position;
    return undefined;
  }

  #positionAfter(revision: number): number {
    const index = this.#events.findIndex((event) => revisionOf(event) > revision);
    return this.#forgotten + (index < 0 ? this.#events.length : index);
  }
}

function keyOf(event: StoreEvent): string {
  return event.type === "put" ? event.entry.key : event.key;
}

function revisionOf(event: StoreEvent): number {
  return event.type === "put" ? event.entry.revision : event.revision;
}

function copyEvent(event: StoreEvent): StoreEvent {
  return event.type === "put"
    ? { type: "put", entry: { ...event.entry, value: event.entry.value.slice() } }
    : event;
}
