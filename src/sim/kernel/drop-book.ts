/**
 * Counts drops by the programs of simulated hosts: tunnel packets without a matching tunnel, and traffic that a side of a
 * wire must not send. The other reasons of the real programs cannot occur here: a device is down as soon as it is removed,
 * packets have no congestion marks or options, and headers always fit.
 */
import {
  DROP_REASONS,
  type DropReason,
  type Drops,
  MAX_OFFENCES,
  MAX_STRANGERS,
  type Offence,
  sortOffences,
  sortStrangers,
  type Stranger,
} from "../../kernel/drops.ts";

interface Count {
  packets: number;
  lastMs: number;
}

interface Page {
  readonly counts: Map<DropReason, Count>;
  /** By outer headers, the latest last. */
  readonly strangers: Map<string, Stranger>;
  /** By device and reason, the latest last. */
  readonly offences: Map<string, Offence>;
}

/** Drop counters for each directory of pins. */
export class DropBook {
  readonly #pages = new Map<string, Page>();

  /** Counts a tunnel packet without a matching tunnel. */
  countStranger(pins: string, from: Omit<Stranger, "packets">, nowMs: number): void {
    const page = this.#count(pins, "unknown", nowMs);
    const key = JSON.stringify([from.source, from.destination, from.port, from.vni]);
    const packets = (page.strangers.get(key)?.packets ?? 0) + 1;
    putLast(page.strangers, { key, entry: { ...from, packets } }, MAX_STRANGERS);
  }

  /** Counts a packet that a side of a wire must not send. */
  countOffence(pins: string, offence: Omit<Offence, "packets">, nowMs: number): void {
    const page = this.#count(pins, offence.reason, nowMs);
    const key = JSON.stringify([offence.link, offence.isArrived, offence.reason]);
    const packets = (page.offences.get(key)?.packets ?? 0) + 1;
    putLast(page.offences, { key, entry: { ...offence, packets } }, MAX_OFFENCES);
  }

  of(pins: string, nowMs: number): Drops {
    const { counts, strangers, offences } = this.#page(pins);
    return {
      counts: DROP_REASONS.flatMap((reason) => {
        const count = counts.get(reason);
        return count ? [{ reason, packets: count.packets, agoMs: Math.floor(nowMs - count.lastMs) }] : [];
      }),
      strangers: sortStrangers([...strangers.values()]),
      offences: sortOffences([...offences.values()]),
    };
  }

  #count(pins: string, reason: DropReason, nowMs: number): Page {
    const page = this.#page(pins);
    const count = page.counts.get(reason) ?? { packets: 0, lastMs: 0 };
    page.counts.set(reason, { packets: count.packets + 1, lastMs: nowMs });
    return page;
  }

  #page(pins: string): Page {
    const known = this.#pages.get(pins);
    if (known) return known;
    const page: Page = { counts: new Map(), strangers: new Map(), offences: new Map() };
    this.#pages.set(pins, page);
    return page;
  }
}

/** Puts an entry last. If there are more than `most`, drops the oldest. */
function putLast<T>(
  all: Map<string, T>,
  { key, entry }: { readonly key: string; readonly entry: T },
  most: number,
): void {
  all.delete(key);
  all.set(key, entry);
  const [oldest] = all.keys();
  if (all.size > most && oldest !== undefined) all.delete(oldest);
}
