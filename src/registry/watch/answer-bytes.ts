/**
 * Builds the answers of Find from encoded entries: a find of a hundred endpoints encodes nothing. The wire format allows
 * appending a field to an encoded message.
 *
 * ```
 *  response = 0a <length> [ endpoint | 2a <length> [08 <seconds> 10 <nanos>] ] | 10 01
 *             1: entity               5: expiration_time                         2: deleted
 * ```
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

const ENTITY = 0x0a;
const DELETED = 0x10;
const EXPIRATION_TIME = 0x2a;
const SECONDS = 0x08;
const NANOS = 0x10;

/** Most bytes around an entity: two tags and lengths, a timestamp of at most 13 bytes, `deleted`. */
const MAX_FRAME_BYTES = 40;

/** Answers are written into slabs of this size: one allocation for dozens of answers. */
const SLAB_BYTES = 16_384;

/** Writes NetworkServiceResponses and NetworkServiceEndpointResponses. */
export class AnswerWriter {
  #slab = new Uint8Array(0);
  #used = 0;

  /** `expiresAtMs` (wall) is for endpoints only. The returned bytes are never changed again. */
  write(entity: Uint8Array, expiresAtMs: number | undefined, deleted: boolean): Uint8Array {
    const most = entity.length + MAX_FRAME_BYTES;
    if (this.#used + most > this.#slab.length) {
      this.#slab = new Uint8Array(Math.max(most, SLAB_BYTES));
      this.#used = 0;
    }
    const start = this.#used;
    const seconds = expiresAtMs === undefined ? 0 : Math.floor(expiresAtMs / 1000);
    const nanos = expiresAtMs === undefined ? 0 : Math.floor(expiresAtMs - seconds * 1000) * 1_000_000;
    const timeLength = 2 + varintLength(seconds) + varintLength(nanos);
    this.#byte(ENTITY);
    this.#varint(entity.length + (expiresAtMs === undefined ? 0 : 2 + timeLength));
    this.#slab.set(entity, this.#used);
    this.#used += entity.length;
    if (expiresAtMs !== undefined) {
      this.#byte(EXPIRATION_TIME);
      this.#byte(timeLength);
      this.#byte(SECONDS);
      this.#varint(seconds);
      this.#byte(NANOS);
      this.#varint(nanos);
    }
    if (deleted) {
      this.#byte(DELETED);
      this.#byte(1);
    }
    return this.#slab.subarray(start, this.#used);
  }

  #byte(value: number): void {
    this.#slab[this.#used++] = value;
  }

  /** Writes a non-negative integer, which may have more than 32 bits. */
  #varint(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#byte((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#byte(rest);
  }
}

/** A length-delimited field, for messages that are lists of encoded messages. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  const head = [...varint(number * 8 + 2), ...varint(bytes.length)];
  const whole = new Uint8Array(head.length + bytes.length);
  whole.set(head);
  whole.set(bytes, head.length);
  return whole;
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) length += 1;
  return length;
}
