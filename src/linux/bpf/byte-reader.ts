import { NetloomError } from "../../errors/errors.ts";

/** Little-endian reads from untrusted bytes. A read out of bounds throws INVALID_ARGUMENT, which names `what`. */
export class ByteReader {
  readonly #view: DataView;
  readonly #what: string;

  constructor(bytes: Uint8Array, what: string) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get length(): number {
    return this.#view.byteLength;
  }

  u8(offset: number): number {
    return this.#view.getUint8(this.#checked(offset, 1));
  }

  u16(offset: number): number {
    return this.#view.getUint16(this.#checked(offset, 2), true);
  }

  u32(offset: number): number {
    return this.#view.getUint32(this.#checked(offset, 4), true);
  }

  /** Reads a 64-bit offset or size. A value beyond the safe integers cannot be inside a buffer. */
  u64(offset: number): number {
    const value = this.#view.getBigUint64(this.#checked(offset, 8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) {
      throw this.malformed(`${value} at ${offset} is out of range`);
    }
    return Number(value);
  }

  /** A view of the same memory. */
  bytes(offset: number, length: number): Uint8Array {
    this.#checked(offset, length);
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + offset, length);
  }

  /** Latin-1 text up to the next zero byte. */
  text(offset: number): string {
    let end = offset;
    while (this.u8(end) !== 0) {
      end += 1;
    }
    return Buffer.from(this.bytes(offset, end - offset)).toString("latin1");
  }

  malformed(reason: string): NetloomError {
    return new NetloomError("INVALID_ARGUMENT", `read ${this.#what}: ${reason}`);
  }

  #checked(offset: number, length: number): number {
    if (offset < 0 || length < 0 || offset + length > this.#view.byteLength) {
      throw this.malformed(`${length} bytes at ${offset} of ${this.#view.byteLength}: cut off`);
    }
    return offset;
  }
}
