/**
 * Builds netlink messages: `nlmsghdr`, a fixed structure, then attributes. Everything is aligned to 4 bytes and in the
 * host's byte order, which is little-endian on every supported machine.
 *
 *   nlmsghdr:  u32 length | u16 type | u16 flags | u32 sequence | u32 port
 *   attribute: u16 length (with these 4 bytes, without padding) | u16 type | payload | padding
 *
 * Source: include/uapi/linux/netlink.h
 */
import assert from "node:assert/strict";
import { mustParseIp } from "../../net/ip.ts";
import { parseMac } from "../../net/mac.ts";
import { NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST } from "./constants.ts";

export const NLMSG_HDRLEN = 16;

const encoder = new TextEncoder();

/** Rounds up to the alignment of netlink. */
export function align4(length: number): number {
  return Math.ceil(length / 4) * 4;
}

/** A reusable buffer for messages: more than one is rarely under construction at a time. */
let spare: Uint8Array | undefined;

const NONE = new Uint8Array(0);

/** One request under construction. Values out of range are bugs and assert. */
export class MessageWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `flags` are added to NLM_F_REQUEST. */
  constructor(type: number, flags: number) {
    this.#bytes = spare ?? new Uint8Array(1024);
    this.#view = new DataView(this.#bytes.buffer);
    spare = undefined;
    this.#grow(NLMSG_HDRLEN);
    this.#view.setUint16(4, type, true);
    this.#view.setUint16(6, flags | NLM_F_REQUEST, true);
  }

  u8(value: number): this {
    const start = this.#grow(1);
    this.#view.setUint8(start, inRange(value, 0xff));
    return this;
  }

  u16(value: number): this {
    const start = this.#grow(2);
    this.#view.setUint16(start, inRange(value, 0xffff), true);
    return this;
  }

  be16(value: number): this {
    const start = this.#grow(2);
    this.#view.setUint16(start, inRange(value, 0xffff), false);
    return this;
  }

  u32(value: number): this {
    const start = this.#grow(4);
    this.#view.setUint32(start, inRange(value, 0xffffffff), true);
    return this;
  }

  i32(value: number): this {
    if ((value | 0) !== value) assert.fail(`not a signed 32-bit value: ${value}`);
    const start = this.#grow(4);
    this.#view.setInt32(start, value, true);
    return this;
  }

  u64(value: number): this {
    const start = this.#grow(8);
    this.#view.setBigUint64(start, BigInt(inRange(value, Number.MAX_SAFE_INTEGER)), true);
    return this;
  }

  bytes(value: Uint8Array): this {
    const start = this.#grow(value.length);
    this.#bytes.set(value, start);
    return this;
  }

  /** Writes an attribute with the content that `fill` writes: a value, a structure, or more attributes. */
  attribute(type: number, fill: () => void): this {
    this.#align();
    const start = this.#grow(4);
    fill();
    const length = inRange(this.#length - start, 0xffff);
    this.#view.setUint16(start, length, true);
    this.#view.setUint16(start + 2, type, true);
    this.#align();
    return this;
  }

  attributeU8(type: number, value: number): this {
    return this.attribute(type, () => this.u8(value));
  }

  attributeU32(type: number, value: number): this {
    return this.attribute(type, () => this.u32(value));
  }

  /** Text with a final NUL (NLA_NUL_STRING). */
  attributeString(type: number, text: string): this {
    return this.attribute(type, () => this.bytes(encodeText(text)).u8(0));
  }

  /** Text without a final NUL (NLA_STRING). */
  attributeText(type: number, text: string): this {
    return this.attribute(type, () => this.bytes(encodeText(text)));
  }

  attributeIp(type: number, address: string): this {
    return this.attribute(type, () => this.bytes(mustParseIp(address).bytes));
  }

  attributeMac(type: number, mac: string): this {
    const bytes = parseMac(mac);
    assert(bytes, `not a MAC address: ${mac}`);
    return this.attribute(type, () => this.bytes(bytes));
  }

  /** Returns the message with sequence number 0: `batch` numbers it. The writer cannot be used afterwards. */
  finish(): Uint8Array {
    this.#align();
    this.#view.setUint32(0, this.#length, true);
    const message = Buffer.from(this.#bytes.subarray(0, this.#length));
    spare = this.#bytes;
    this.#bytes = NONE;
    return message;
  }

  #align(): void {
    this.#grow(align4(this.#length) - this.#length);
  }

  /** Appends `count` zero bytes and returns their offset. May replace the buffer: call it before using the buffer. */
  #grow(count: number): number {
    const start = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      assert(this.#bytes !== NONE, "the message is finished");
      const bytes = new Uint8Array(2 * this.#length);
      bytes.set(this.#bytes.subarray(0, start));
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer);
    }
    this.#bytes.fill(0, start, this.#length);
    return start;
  }
}

/** A writer for a change, which is answered by one acknowledgement. `flags`: NLM_F_CREATE and similar. */
export function change(type: number, flags = 0): MessageWriter {
  return new MessageWriter(type, NLM_F_ACK | flags);
}

/** A writer for a query that is answered by a list of messages up to NLMSG_DONE. */
export function dump(type: number): MessageWriter {
  return new MessageWriter(type, NLM_F_DUMP);
}

/**
 * Joins messages for one send. They get the sequence numbers `first`, `first + 1`, … (modulo 2^32). Only the last keeps its
 * NLM_F_ACK: the kernel reports refusals of the others without it.
 */
export function batch(messages: readonly Uint8Array[], first: number): Uint8Array {
  const joined = new Uint8Array(messages.reduce((sum, message) => sum + message.length, 0));
  const view = new DataView(joined.buffer);
  let offset = 0;
  for (const [i, message] of messages.entries()) {
    joined.set(message, offset);
    view.setUint32(offset + 8, (first + i) >>> 0, true);
    if (i < messages.length - 1)
      view.setUint16(offset + 6, view.getUint16(offset + 6, true) & ~NLM_F_ACK, true);
    offset += message.length;
  }
  return joined;
}

function encodeText(text: string): Uint8Array {
  assert(!text.includes("\0"), "text for the kernel holds a NUL");
  return encoder.encode(text);
}

function inRange(value: number, max: number): number {
  // Formats the message only on failure, because this runs for every field.
  const isInRange = Number.isInteger(value) && value >= 0 && value <= max;
  if (!isInRange) assert.fail(`not an integer from 0 to ${max}: ${value}`);
  return value;
}
