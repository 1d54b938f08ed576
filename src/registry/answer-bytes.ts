/**
 * The answers of Find, put together from bytes that are there already: a find of a hundred endpoints encodes nothing.
 * In the wire format a field may be appended to an encoded message.
 *
 * ```
 *  response = 0a <length> [ endpoint | 2a <length> [08 <seconds> 10 <nanos>] ] | 10 01
 *             1: entity               5: expiration_time                         2: deleted
 * ```
 * Source: https://protobuf.dev/programming-guides/encoding/
 */

const ENTITY = 0x0a;
const DELETED = [0x10, 0x01] as const;
const EXPIRATION_TIME = 0x2a;

/** A NetworkServiceResponse or NetworkServiceEndpointResponse. `expiresAtMs` (wall) is for endpoints only. */
export function answerBytes(
  entity: Uint8Array,
  { expiresAtMs, deleted }: { readonly expiresAtMs?: number | undefined; readonly deleted: boolean },
): Uint8Array {
  const expiration = expiresAtMs === undefined ? [] : expirationField(expiresAtMs);
  const head = [ENTITY, ...varint(entity.length + expiration.length)];
  const tail = deleted ? [...expiration, ...DELETED] : expiration;
  return joined(head, entity, tail);
}

/** A length-delimited field, for messages that are lists of encoded ones. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  return joined([...varint(number * 8 + 2), ...varint(bytes.length)], bytes, []);
}

function joined(head: readonly number[], body: Uint8Array, tail: readonly number[]): Uint8Array {
  const whole = new Uint8Array(head.length + body.length + tail.length);
  whole.set(head);
  whole.set(body, head.length);
  whole.set(tail, head.length + body.length);
  return whole;
}

function expirationField(atMs: number): number[] {
  const seconds = Math.floor(atMs / 1000);
  const nanos = Math.floor(atMs - seconds * 1000) * 1_000_000;
  const timestamp = [0x08, ...varint(seconds), 0x10, ...varint(nanos)];
  return [EXPIRATION_TIME, ...varint(timestamp.length), ...timestamp];
}

/** Of a whole number that is not negative. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 128) {
    bytes.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  bytes.push(rest);
  return bytes;
}
