/**
 * The journal of an agent: the events of each attachment, for later queries. It is kept in memory, holds an hour,
 * and has a limit. An event that repeats the last one of its attachment is counted.
 */
import type { Clock } from "../async/clock.ts";
import { isMatch, type Ref, refText } from "../attachments/spec.ts";

const KEPT_MS = 3_600_000;
/** Limit of events. One takes about 200 bytes. */
const MOST_EVENTS = 10_000;

export interface JournalEvent {
  readonly ref: Ref;
  /** Whether the event is a problem. */
  readonly isWarning: boolean;
  /** One word in CamelCase: `Added`, `Up`, `Failed`. */
  readonly reason: string;
  /** A sentence. May be empty. */
  readonly message: string;
  /** Time of the first event, on `Clock.wallMs`. */
  readonly firstMs: number;
  readonly lastMs: number;
  readonly count: number;
}

export type NewEvent = Pick<JournalEvent, "ref" | "isWarning" | "reason" | "message">;

export class Journal {
  readonly #clock: Clock;
  /** The events, sorted by the time of the last repetition, the oldest first. */
  readonly #events = new Set<JournalEvent>();
  readonly #last = new Map<string, JournalEvent>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  write(event: NewEvent): void {
    const nowMs = this.#clock.wallMs();
    this.#forget(nowMs);
    const name = refText(event.ref);
    const before = this.#last.get(name);
    const isRepeated =
      before !== undefined && before.reason === event.reason && before.message === event.message;
    if (isRepeated) this.#events.delete(before);
    const next: JournalEvent = {
      ...event,
      firstMs: isRepeated ? before.firstMs : nowMs,
      lastMs: nowMs,
      count: isRepeated ? before.count + 1 : 1,
    };
    this.#events.add(next);
    this.#last.set(name, next);
  }

  /** The events of the last hour, the newest last. */
  list(query: Partial<Ref> = {}): JournalEvent[] {
    this.#forget(this.#clock.wallMs());
    return [...this.#events].filter(({ ref }) => isMatch(query, ref));
  }

  #forget(nowMs: number): void {
    for (const event of this.#events) {
      if (event.lastMs > nowMs - KEPT_MS && this.#events.size < MOST_EVENTS) return;
      this.#events.delete(event);
      const name = refText(event.ref);
      if (this.#last.get(name) === event) this.#last.delete(name);
    }
  }
}
