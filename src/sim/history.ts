import { Hash } from "./hash.ts";

/** One event of a run. */
export interface HistoryEntry {
  /** Virtual time. */
  readonly timeMs: number;
  readonly host: string;
  /** The event and its outcome: `disk.sync journal: INTERNAL`. Errors by code, never by stack (rule R7). */
  readonly what: string;
}

/** The events of a run in order, and their running hash: runs with the same hash are the same run. */
export class History {
  readonly #hash = new Hash();
  readonly #entries: HistoryEntry[] = [];
  readonly #keep: number;
  #count = 0;

  /** Keeps the last `keep` entries for display. The hash covers all entries. */
  constructor(keep: number) {
    this.#keep = keep;
  }

  get count(): number {
    return this.#count;
  }

  record(entry: HistoryEntry): void {
    this.#count += 1;
    this.#hash.update(`${entry.timeMs}\0${entry.host}\0${entry.what}\0`);
    if (this.#keep === 0) return;
    this.#entries.push(entry);
    // Trims in batches, so that trimming does not cost for every entry.
    if (this.#entries.length >= 2 * this.#keep) this.#entries.splice(0, this.#entries.length - this.#keep);
  }

  get hash(): string {
    return this.#hash.hex();
  }

  entries(): readonly HistoryEntry[] {
    return this.#entries.slice(-this.#keep);
  }
}

/** One line for display: `  1204.250 ms  beta   fault: crash, back after 300 ms`. */
export function formatHistoryEntry(entry: HistoryEntry): string {
  return `${entry.timeMs.toFixed(3).padStart(10)} ms  ${entry.host.padEnd(12)} ${entry.what}`;
}
