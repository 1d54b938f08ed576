/**
 * The wires whose kernel objects may differ from their plans, each with the reason. A wire is on this list from the first
 * sign of a difference until a check finds it complete, or repairs it.
 */
import type { KernelEvent } from "../../kernel/kernel.ts";

export interface Doubt {
  /** A sentence. */
  readonly message: string;
  /** No packet passes while the difference exists. */
  readonly isCut: boolean;
}

export class Doubts {
  readonly #doubts = new Map<string, Doubt>();
  readonly #listeners: ((wire: string) => void)[] = [];

  /** Calls `listener` after every change of the doubt about a wire. */
  listen(listener: (wire: string) => void): void {
    this.#listeners.push(listener);
  }

  of(wire: string): Doubt | undefined {
    return this.#doubts.get(wire);
  }

  /** A doubt that cuts the wire stays until it is cleared. */
  add(wire: string, doubt: Doubt): void {
    const before = this.#doubts.get(wire);
    if (before?.isCut === true || before?.message === doubt.message) return;
    this.#doubts.set(wire, doubt);
    this.#tell(wire);
  }

  clear(wire: string): void {
    if (this.#doubts.delete(wire)) this.#tell(wire);
  }

  #tell(wire: string): void {
    for (const listener of this.#listeners) listener(wire);
  }
}

/** The doubt that an event raises about a wire whose plan it contradicts. */
export function doubtOf(event: KernelEvent): Doubt {
  const on = "link" in event && event.link !== undefined ? ` of ${event.link}` : "";
  switch (event.type) {
    case "link":
      if (!event.facts) return { message: `the device ${event.link} is gone`, isCut: true };
      if (!event.facts.isUp) return { message: `the device ${event.link} is down`, isCut: true };
      return { message: `the device ${event.link} was changed`, isCut: false };
    case "address":
      if (event.change === "removed")
        return { message: `the address ${event.address}${on} was removed`, isCut: true };
      return { message: `the address ${event.address}${on} was added`, isCut: false };
    case "route":
    case "neighbor":
    case "program":
      return { message: `a ${event.type}${on} was removed or replaced`, isCut: false };
    case "netns-removed":
    case "resync":
    default:
      return { message: "changes in the kernel may have been missed", isCut: false };
  }
}

/** The doubt after a look that has found a difference. */
export const SEEN: Readonly<Doubt> = { message: "objects of the wire are missing or changed", isCut: false };

/** The doubt about a wire of which a namespace is gone. */
export const END_GONE: Readonly<Doubt> = { message: "the workload at one of its ends is gone", isCut: true };
