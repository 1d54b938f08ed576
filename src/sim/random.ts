import type { Random } from "../world/world.ts";
import { Hash } from "./hash.ts";

/**
 * Randomness without a stream (rule R5): every number is a hash of seed, host, purpose and n, so that an additional draw,
 * or a fault removed from a run, does not shift the others.
 */
export class SimRandom implements Random {
  readonly #prefix: string;

  constructor(seed: string, host: string) {
    this.#prefix = `${seed}\0${host}\0`;
  }

  fraction(purpose: string, n: number): number {
    const [a, b] = this.#lanes(purpose, n);
    // 53 bits, the precision of a double.
    return ((a >>> 5) * 0x4000000 + (b >>> 6)) / 0x20000000000000;
  }

  bytes(purpose: string, n: number, length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    const view = new DataView(new ArrayBuffer(8));
    for (let offset = 0; offset < length; offset += 8) {
      const [a, b] = this.#lanes(`${purpose}\0${offset}`, n);
      view.setUint32(0, a);
      view.setUint32(4, b);
      bytes.set(new Uint8Array(view.buffer).subarray(0, length - offset), offset);
    }
    return bytes;
  }

  #lanes(purpose: string, n: number): readonly [number, number] {
    return new Hash().update(`${this.#prefix}${purpose}\0${n}`).lanes();
  }
}

/** An integer in [from, to). */
export function between(random: Random, purpose: string, n: number, from: number, to: number): number {
  return from + Math.floor(random.fraction(purpose, n) * (to - from));
}
