/**
 * The entries of the map `wires`: verdicts for frames that enter devices, and for frames that come out of their tunnels.
 */
import { type Counters, KernelError } from "../../kernel/kernel.ts";
import {
  BPF_NOEXIST,
  deleteElement,
  forEachElement,
  lookupElement,
  runSyscallProgram,
  updateElement,
} from "./bpf.ts";
import type { GuardMaps } from "./guard-maps.ts";
import {
  countersOf,
  decodeWire,
  encodeWire,
  KEY_BYTES,
  keyOf,
  possibleCpus,
  WIRE_BYTES,
  wireValue,
  type WireVerdict,
} from "./wire-map.ts";

/** A guard that drops everything, for an entry that is not complete yet. */
const CLOSED: Readonly<WireVerdict> = {
  verdict: "pass",
  guard: { sources: [], mac: "02:00:00:00:00:00" },
};

export class WireEntries {
  /** Descriptors of the map, and of the program that writes it. */
  readonly #map: number;
  readonly #retargeter: number;
  readonly #guards: GuardMaps;
  readonly #value = Buffer.alloc(WIRE_BYTES * possibleCpus());

  constructor(map: number, retargeter: number, guards: GuardMaps) {
    this.#map = map;
    this.#retargeter = retargeter;
    this.#guards = guards;
  }

  has(entry: number): boolean {
    return lookupElement(this.#map, keyOf(entry), this.#value);
  }

  get(entry: number): WireVerdict | undefined {
    return this.has(entry) ? decodeWire(this.#value, () => this.#guards.get(entry)) : undefined;
  }

  counters(entry: number): Counters | undefined {
    return this.has(entry) ? countersOf(this.#value) : undefined;
  }

  /**
   * Adds an entry, or changes one without resetting its counters. RESOURCE_EXHAUSTED if a map is full; nothing is changed
   * then.
   */
  put(entry: number, wire: WireVerdict): void {
    const isNew = updateElement(this.#map, keyOf(entry), wireValue(CLOSED), BPF_NOEXIST);
    try {
      this.#guards.put(entry, wire.guard?.sources ?? [], () => this.#write(entry, wire));
    } catch (error) {
      if (isNew) deleteElement(this.#map, keyOf(entry));
      throw error;
    }
  }

  /** Deletes an entry, if it exists. */
  delete(entry: number): void {
    deleteElement(this.#map, keyOf(entry));
    this.#guards.remove(entry);
  }

  each(visit: (entry: number, counters: () => Counters) => void): void {
    const sizes = { keyBytes: KEY_BYTES, valueBytes: this.#value.length };
    forEachElement(this.#map, sizes, (key, value) => visit(key.readUInt32LE(0), () => countersOf(value)));
  }

  /** Removes the lists of guards without an entry, which a process leaves if it dies in between. */
  sweepGuards(): void {
    for (const entry of this.#guards.entries()) if (!this.has(entry)) this.#guards.remove(entry);
  }

  /** Writes the value of every CPU, except the counters. */
  #write(entry: number, wire: WireVerdict): void {
    const request = Buffer.concat([Buffer.alloc(8), encodeWire(wire)]);
    request.writeUInt32LE(entry, 0);
    for (let cpu = 0; cpu < possibleCpus();) {
      request.writeUInt32LE(cpu, 4);
      const written = runSyscallProgram(this.#retargeter, request);
      if (written === 0)
        throw new KernelError("NOT_FOUND", `change entry ${entry} of the data path: it is gone`);
      cpu += written;
    }
  }
}
