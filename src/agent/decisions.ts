/** The recent decisions of this host's forwarder for endpoints, for `netloom why`. */
import type { Discovery } from "../elements/discovery/discover.ts";
import type { Selection } from "../elements/discovery/select.ts";
import type { Clock } from "../async/clock.ts";

export interface Decided {
  /** Time of the decision, on `Clock.wallMs`. */
  readonly atMs: number;
  readonly discovery: Discovery;
  readonly selection: Selection | undefined;
}

const MAX_KEPT = 4_096;

/** Decisions by the forwarder's own connection id. The oldest are dropped if there are too many. */
export class Decisions {
  readonly #clock: Clock;
  readonly #decided = new Map<string, Decided>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  discovered(id: string, discovery: Discovery): void {
    this.#decided.delete(id);
    this.#decided.set(id, { atMs: this.#clock.wallMs(), discovery, selection: undefined });
    const [oldest] = this.#decided.keys();
    if (this.#decided.size > MAX_KEPT && oldest !== undefined) this.#decided.delete(oldest);
  }

  selected(id: string, selection: Selection): void {
    const known = this.#decided.get(id);
    if (known) this.#decided.set(id, { ...known, selection });
  }

  of(id: string): Decided | undefined {
    return this.#decided.get(id);
  }

  /** The last decision for a client with these labels. A failed request leaves no connection to look up. */
  last(service: string, labels: Readonly<Record<string, string>>): Decided | undefined {
    return [...this.#decided.values()].findLast(
      ({ discovery }) =>
        discovery.service === service &&
        Object.entries(labels).every(([key, value]) => discovery.labels[key] === value),
    );
  }
}
