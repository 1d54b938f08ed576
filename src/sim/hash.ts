/**
 * The hash for all choices and traces of the simulator: two 32-bit lanes over UTF-16 code units, with the final mix of
 * MurmurHash3. Fast because it avoids BigInt (a run computes hundreds of thousands of hashes); not for secrets.
 */
export class Hash {
  #a = 0xdeadbeef | 0;
  #b = 0x41c6ce57 | 0;

  update(text: string): this {
    let a = this.#a;
    let b = this.#b;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      a = Math.imul(a ^ unit, 0x9e3779b1);
      b = Math.imul(b ^ unit, 0x5f356495);
      a ^= b >>> 15;
      b ^= a >>> 13;
    }
    this.#a = a;
    this.#b = b;
    return this;
  }

  updateBytes(bytes: Uint8Array): this {
    return this.update(String.fromCharCode(...bytes.subarray(0, 4096))).#rest(bytes);
  }

  /** The spread call above is limited by the size of the call stack. */
  #rest(bytes: Uint8Array): this {
    return bytes.length > 4096 ? this.updateBytes(bytes.subarray(4096)) : this;
  }

  /** Both lanes of the hash so far, as unsigned 32-bit numbers. */
  lanes(): readonly [number, number] {
    const a = mix(this.#a ^ Math.imul(this.#b, 0x85ebca6b));
    return [a, mix(this.#b ^ Math.imul(a, 0xc2b2ae35))];
  }

  /** The hash as sixteen hexadecimal digits. */
  hex(): string {
    return this.lanes()
      .map((lane) => lane.toString(16).padStart(8, "0"))
      .join("");
  }
}

function mix(value: number): number {
  let mixed = value ^ (value >>> 16);
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 16)) >>> 0;
}

/** A short digest of a message or a file, for traces. */
export function digestText(bytes: Uint8Array): string {
  return new Hash().updateBytes(bytes).hex().slice(0, 8);
}
