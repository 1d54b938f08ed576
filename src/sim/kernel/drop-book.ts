/**
 * What the programs of simulated hosts have dropped: tunnel packets that nobody negotiated. What else the real ones count cannot
 * happen here: a device is down as soon as it is removed, packets have no marks of congestion, and headers always fit.
 */
import { type Drops, MAX_STRANGERS, sortStrangers, type Stranger } from "../../kernel/drops.ts";

interface Page {
  packets: number;
  lastMs: number;
  /** By what their outer headers say, the latest last. */
  readonly strangers: Map<string, Stranger>;
}

/** A page for each directory of pins. */
export class DropBook {
  readonly #pages = new Map<string, Page>();

  /** A tunnel packet that nobody negotiated. */
  countStranger(pins: string, from: Omit<Stranger, "packets">, nowMs: number): void {
    const page = this.#page(pins);
    page.packets++;
    page.lastMs = nowMs;
    const { strangers } = page;
    const key = JSON.stringify([from.source, from.destination, from.port, from.vni]);
    const packets = (strangers.get(key)?.packets ?? 0) + 1;
    strangers.delete(key);
    strangers.set(key, { ...from, packets });
    const [oldest] = strangers.keys();
    if (strangers.size > MAX_STRANGERS && oldest !== undefined) strangers.delete(oldest);
  }

  of(pins: string, nowMs: number): Drops {
    const { packets, lastMs, strangers } = this.#page(pins);
    return {
      counts: packets === 0 ? [] : [{ reason: "unknown", packets, agoMs: Math.floor(nowMs - lastMs) }],
      strangers: sortStrangers([...strangers.values()]),
    };
  }

  #page(pins: string): Page {
    const known = this.#pages.get(pins);
    if (known) return known;
    const page: Page = { packets: 0, lastMs: 0, strangers: new Map() };
    this.#pages.set(pins, page);
    return page;
  }
}
