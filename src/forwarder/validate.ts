import type { Wire } from "./wire.ts";

/** All that is wrong with a wire, each as a whole sentence for people; empty if it can be planned. */
export function validateWire(wire: Wire): string[] {
  throw new Error(wire.connectionId);
}
