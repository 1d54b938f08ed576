import type { Wire } from "../forwarder/wire.ts";

/** What makes wires: `Reconciler` of src/forwarder. */
export interface Wires {
  apply(wire: Wire): Promise<unknown>;
  remove(connectionId: string): Promise<void>;
}
