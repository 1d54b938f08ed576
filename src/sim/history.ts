import { Hash } from "./hash.ts";

/** One event of a run. */
export interface HistoryEntry {
  /** Virtual time. */
  readonly timeMs: number;
  readonly host: string;
  /** What happened and how it ended: `disk.sync journal: INTERNAL`. Errors by code, never by stack (rule R7). */
  readonly what: string;
}

/** What happened in a run, in order, and its running hash: two runs with the same hash were the same run. */
export class History {
  readonly #hash = new Hash();
  readonly #entries: HistoryEntry[] = [];
  readonly #keep: number;
  #count = 0;

  /** Keeps the last `keep` entries for people. The hash covers all of them. */
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
    // In lumps, so that a long run does not pay for every entry.
    if (this.#entries.length >= 2 * this.#keep) this.#entries.splice(0, this.#entries.length - this.#keep);
  }

  get hash(): string {
    return this.#hash.hex();
  }

  entries(): readonly HistoryEntry[] {
    return this.#entries.slice(-this.#keep);
  }
}

/** One line for people: `  1204.250 ms  beta   fault: crash, back after 300 ms`. */
export function formatHistoryEntry(entry: HistoryEntry): string {
  return `${entry.timeMs.toFixed(3).padStart(10)} ms  ${entry.host.padEnd(12)} ${entry.what}`;
}
