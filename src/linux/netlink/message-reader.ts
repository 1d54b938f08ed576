/**
 * Reads messages from a netlink socket: headers, attributes, acknowledgements.
 *
 * Every read is checked against the bounds of its message. Malformed data throws a `DecodeError`, and no other error is
 * ever thrown. The same holds for all `decode…` functions of this folder.
 */
import { formatIp, type IpAddress } from "../../net/ip.ts";
import { formatMac } from "../../net/mac.ts";
import { NetloomError } from "../../errors/errors.ts";
import {
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_DUMP_INTR,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGERR_ATTR_MISS_TYPE,
  NLMSGERR_ATTR_MSG,
  NLMSGERR_ATTR_OFFS,
  NLA_TYPE_MASK,
} from "./constants.ts";
import { align4, NLMSG_HDRLEN } from "./message-writer.ts";

/**
 * A message that contradicts its own lengths. The error names the part: `decode netlink message: 12 bytes left, needs 16`.
 */
export class DecodeError extends NetloomError {
  override readonly name: string = "DecodeError";

  constructor(part: string, reason: string) {
    super("INTERNAL", `decode ${part}: ${reason}`);
  }
}

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /**
   * In an answer: the port number of the asking socket. In a notification: that of the causing socket; 0 if no socket
   * caused it.
   */
  readonly port: number;
  /** The data after the header. A view into the received buffer: decode it before the buffer is reused. */
  readonly body: Uint8Array;
}

/** The messages of one received datagram. */
export function messages(datagram: Uint8Array): NetlinkMessage[] {
  const view = viewOf(datagram);
  const found: NetlinkMessage[] = [];
  for (let offset = 0; offset < datagram.length;) {
    const left = datagram.length - offset;
    if (left < NLMSG_HDRLEN)
      throw new DecodeError("netlink message", `${left} bytes left, needs ${NLMSG_HDRLEN}`);
    const length = view.getUint32(offset, true);
    if (length < NLMSG_HDRLEN || length > left)
      throw new DecodeError("netlink message", `length ${length}, ${left} bytes left`);
    found.push({
      type: view.getUint16(offset + 4, true),
      flags: view.getUint16(offset + 6, true),
      sequence: view.getUint32(offset + 8, true),
      port: view.getUint32(offset + 12, true),
      body: datagram.subarray(offset + NLMSG_HDRLEN, offset + length),
    });
    offset += align4(length);
  }
  return found;
}

/** The dump may be incomplete because of a concurrent change: ask again. */
export function isDumpInterrupted(message: NetlinkMessage): boolean {
  return (message.flags & NLM_F_DUMP_INTR) !== 0;
}

/** The end of an answer. */
export interface Ack {
  /** 0 is success, otherwise a positive errno. */
  readonly errno: number;
  /** The kernel's own message (NETLINK_EXT_ACK). */
  readonly message?: string;
  /** Offset of the offending attribute in the request, from its header on. */
  readonly offset?: number;
  /** Type of an attribute missing in the request (Linux 6.1). */
  readonly missingType?: number;
}

/**
 * Reads NLMSG_ERROR, which ends the answer to a change or reports a failed query, and NLMSG_DONE, which ends a dump.
 * `undefined` for every other message: more follow.
 */
export function readAck(message: NetlinkMessage): Ack | undefined {
  if (message.type !== NLMSG_ERROR && message.type !== NLMSG_DONE) return undefined;
  const body = new Struct("acknowledgement", message.body, 4);
  const errno = 0 - body.i32(0);
  if ((message.flags & NLM_F_ACK_TLVS) === 0) return { errno };
  let end = 4;
  if (message.type === NLMSG_ERROR) {
    const request = new Struct("acknowledgement", message.body, 4 + NLMSG_HDRLEN);
    end += (message.flags & NLM_F_CAPPED) === 0 ? align4(request.u32(4)) : NLMSG_HDRLEN;
  }
  const attributes = readAttributes("acknowledgement", message.body, end);
  const text = attributes.string(NLMSGERR_ATTR_MSG);
  const offset = attributes.u32(NLMSGERR_ATTR_OFFS);
  const missingType = attributes.u32(NLMSGERR_ATTR_MISS_TYPE);
  return {
    errno,
    ...(text !== undefined && { message: text }),
    ...(offset !== undefined && { offset }),
    ...(missingType !== undefined && { missingType }),
  };
}

/** A structure of the kernel of at least `size` bytes. Offsets below `size` are safe to read. */
export class Struct {
  readonly #view: DataView;

  constructor(part: string, bytes: Uint8Array, size: number) {
    if (bytes.length < size) throw new DecodeError(part, `${bytes.length} bytes, needs ${size}`);
    this.#view = viewOf(bytes);
  }

  u8(offset: number): number {
    return this.#view.getUint8(offset);
  }

  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }

  be16(offset: number): number {
    return this.#view.getUint16(offset, false);
  }

  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }

  i32(offset: number): number {
    return this.#view.getInt32(offset, true);
  }

  /** Exact up to 2^53. */
  u64(offset: number): number {
    return Number(this.#view.getBigUint64(offset, true));
  }
}

/** One level of attributes, by type. If a type occurs twice the last one counts, as in the kernel. */
export class Attributes {
  readonly #part: string;
  readonly #view: DataView;
  /** Offset of each attribute. Most attributes are never decoded. */
  readonly #offsets: ReadonlyMap<number, number>;

  constructor(part: string, view: DataView, offsets: ReadonlyMap<number, number>) {
    this.#part = part;
    this.#view = view;
    this.#offsets = offsets;
  }

  bytes(type: number): Uint8Array | undefined {
    const offset = this.#offsets.get(type);
    if (offset === undefined) return undefined;
    const length = this.#view.getUint16(offset, true) - 4;
    return new Uint8Array(this.#view.buffer, this.#view.byteOffset + offset + 4, length);
  }

  /** The payload as a structure of at least `size` bytes. */
  struct(type: number, size: number): Struct | undefined {
    const bytes = this.bytes(type);
    return bytes && new Struct(this.#name(type), bytes, size);
  }

  u8(type: number): number | undefined {
    const at = this.#payload(type, 1);
    return at === undefined ? undefined : this.#view.getUint8(at);
  }

  be16(type: number): number | undefined {
    const at = this.#payload(type, 2);
    return at === undefined ? undefined : this.#view.getUint16(at, false);
  }

  u32(type: number): number | undefined {
    const at = this.#payload(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at, true);
  }

  be32(type: number): number | undefined {
    const at = this.#payload(type, 4);
    return at === undefined ? undefined : this.#view.getUint32(at, false);
  }

  be64(type: number): number | undefined {
    const at = this.#payload(type, 8);
    return at === undefined ? undefined : Number(this.#view.getBigUint64(at, false));
  }

  i32(type: number): number | undefined {
    const at = this.#payload(type, 4);
    return at === undefined ? undefined : this.#view.getInt32(at, true);
  }

  u64(type: number): number | undefined {
    const at = this.#payload(type, 8);
    return at === undefined ? undefined : Number(this.#view.getBigUint64(at, true));
  }

  /** Text up to the first NUL. */
  string(type: number): string | undefined {
    const bytes = this.bytes(type);
    if (!bytes) return undefined;
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.buffer, bytes.byteOffset, end < 0 ? bytes.length : end).toString();
  }

  /** Canonical text of a 4- or 16-byte address. */
  ip(type: number): string | undefined {
    const bytes = this.bytes(type);
    return bytes && formatIp(ipOf(this.#name(type), bytes));
  }

  /** `undefined` also for a link-layer address that is not a MAC, such as that of a tunnel. */
  mac(type: number): string | undefined {
    const bytes = this.bytes(type);
    return bytes?.length === 6 ? formatMac(bytes) : undefined;
  }

  /** Attributes nested in an attribute, after a structure of `skip` bytes. */
  nested(type: number, skip = 0): Attributes | undefined {
    const bytes = this.bytes(type);
    return bytes && readAttributes(this.#name(type), bytes, skip);
  }

  /** Offset of the payload, which must have at least `size` bytes. */
  #payload(type: number, size: number): number | undefined {
    const offset = this.#offsets.get(type);
    if (offset === undefined) return undefined;
    const length = this.#view.getUint16(offset, true) - 4;
    if (length < size) throw new DecodeError(this.#name(type), `${length} bytes, needs ${size}`);
    return offset + 4;
  }

  #name(type: number): string {
    return `${this.#part} attribute ${type}`;
  }
}

/** Reads the attributes of `bytes` from `start` to the end. `part` names them in errors. */
export function readAttributes(part: string, bytes: Uint8Array, start: number): Attributes {
  const offsets = new Map<number, number>();
  const view = viewOf(bytes);
  for (const offset of attributesIn(part, view, start))
    offsets.set(view.getUint16(offset + 2, true) & NLA_TYPE_MASK, offset);
  return new Attributes(part, view, offsets);
}

/** The payloads of a list of attributes of one type, in order. */
export function readList(part: string, bytes: Uint8Array): Uint8Array[] {
  const view = viewOf(bytes);
  return attributesIn(part, view, 0).map((offset) =>
    bytes.subarray(offset + 4, offset + view.getUint16(offset, true)),
  );
}

/** Offset of each attribute. */
function attributesIn(part: string, view: DataView, start: number): number[] {
  const { byteLength } = view;
  const offsets: number[] = [];
  if (start > byteLength) throw new DecodeError(part, `${byteLength} bytes, needs ${start}`);
  for (let offset = start; offset < byteLength;) {
    const left = byteLength - offset;
    if (left < 4) throw new DecodeError(part, `${left} bytes left, an attribute needs 4`);
    const length = view.getUint16(offset, true);
    if (length < 4 || length > left)
      throw new DecodeError(part, `attribute of length ${length}, ${left} bytes left`);
    offsets.push(offset);
    offset += align4(length);
  }
  return offsets;
}

/** Interprets `bytes` as an address. */
export function ipOf(part: string, bytes: Uint8Array): IpAddress {
  if (bytes.length !== 4 && bytes.length !== 16)
    throw new DecodeError(part, `address of ${bytes.length} bytes`);
  return { family: bytes.length === 4 ? 4 : 6, bytes };
}

/** An object with the property only if there is a value. */
export function present<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
