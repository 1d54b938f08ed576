import { pointerTo, receiveMessage } from "./syscall.ts";

/** Room for the control messages of one datagram, and for a `struct sockaddr_storage`. */
const CONTROL_BYTES = 256;
const ADDRESS_BYTES = 128;

/** The header of a control message: u64 length | i32 level | i32 type; then its data, and padding to 8 bytes. cmsg(3) */
const CONTROL_HEADER = 16;

/**
 * recvmsg(2) with the sender's address and control messages, in reused buffers.
 *
 *   msghdr: u64 name | u32 nameLength | pad | u64 iovec | u64 iovecs | u64 control | u64 controlLength | i32 flags
 */
export class MessageReceiver {
  /** The sender of the last datagram: a `struct sockaddr` of the socket's family. */
  readonly address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  readonly #data: Uint8Array;
  readonly #control = new Uint8Array(CONTROL_BYTES);
  readonly #controlView = new DataView(this.#control.buffer);
  readonly #iovec = new Uint8Array(16);
  readonly #header = new Uint8Array(56);
  readonly #headerView = new DataView(this.#header.buffer);

  /** `size`: the most bytes of a datagram. The rest of a longer one is lost. */
  constructor(size: number) {
    this.#data = new Uint8Array(size);
    const iovec = new DataView(this.#iovec.buffer);
    iovec.setBigUint64(0, pointerTo(this.#data), true);
    iovec.setBigUint64(8, BigInt(size), true);
    this.#headerView.setBigUint64(0, pointerTo(new Uint8Array(this.address.buffer)), true);
    this.#headerView.setBigUint64(16, pointerTo(this.#iovec), true);
    this.#headerView.setBigUint64(24, 1n, true);
    this.#headerView.setBigUint64(32, pointerTo(this.#control), true);
  }

  /** Receives one datagram, valid until the next call; `undefined` if there is none now. */
  receive(fd: number): Uint8Array | undefined {
    this.#headerView.setUint32(8, ADDRESS_BYTES, true);
    this.#headerView.setBigUint64(40, BigInt(CONTROL_BYTES), true);
    return receiveMessage(fd, this.#header, this.#data);
  }

  /** The data of the first control message of this level and type in the last datagram. */
  control(level: number, type: number): DataView | undefined {
    const end = Number(this.#headerView.getBigUint64(40, true));
    for (let at = 0; at + CONTROL_HEADER <= end;) {
      const length = Number(this.#controlView.getBigUint64(at, true));
      if (length < CONTROL_HEADER) return undefined;
      const [ownLevel, ownType] = [8, 12].map((offset) => this.#controlView.getInt32(at + offset, true));
      if (ownLevel === level && ownType === type)
        return new DataView(this.#control.buffer, at + CONTROL_HEADER, length - CONTROL_HEADER);
      at += Math.ceil(length / 8) * 8;
    }
    return undefined;
  }
}
