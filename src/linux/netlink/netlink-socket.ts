/**
 * A netlink socket, by default of rtnetlink: sends requests built by netlink/, and returns the kernel's immediate answers.
 */
import { KernelError } from "../../kernel/kernel.ts";
import * as k from "./constants.ts";
import { type Ack, isDumpInterrupted, type NetlinkMessage, messages, readAck } from "./message-reader.ts";
import { batch } from "./message-writer.ts";
import {
  close,
  errnoName,
  receive,
  send,
  sendAsync,
  setSocketOption,
  SO_NETNS_COOKIE,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
  socketOption64,
  SOL_SOCKET,
  syscallError,
} from "../libc/syscall.ts";

/** Limits a send, so that neither its acknowledgements overflow the socket nor the requests its buffer. */
const MESSAGES_PER_SEND = 64;

/** The result of a dump interrupted this often is accepted: the namespace changes all the time. */
const DUMP_ATTEMPTS = 5;

/** The kernel sends dumps in datagrams of at most 32 KiB. */
const buffer = new Uint8Array(65536);

/** Belongs to the namespace in which it was opened, on any thread, and keeps that namespace alive. */
export class NetlinkSocket {
  readonly #fd: number;
  #sequence = 1;
  #port = 0;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Opens a socket in the current namespace, with strict checks and extended acknowledgements. */
  static open(protocol: number = k.NETLINK_ROUTE): NetlinkSocket {
    const fd = socket(k.AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
    try {
      for (const option of [k.NETLINK_EXT_ACK, k.NETLINK_CAP_ACK, k.NETLINK_GET_STRICT_CHK])
        setSocketOption(fd, k.SOL_NETLINK, option, 1);
    } catch (error) {
      close(fd);
      throw error;
    }
    return new NetlinkSocket(fd);
  }

  /** The port number that marks notifications caused by this socket, in this namespace; 0 before the first answer. */
  get port(): number {
    return this.#port;
  }

  /** Unique until the next boot, unlike the inode of the namespace. */
  netnsCookie(): string {
    return String(socketOption64(this.#fd, SOL_SOCKET, SO_NETNS_COOKIE));
  }

  /**
   * Sends changes, as many as possible in one send, and returns an acknowledgement for each. The kernel continues after an
   * error. Only the last change requests an acknowledgement: the kernel reports refusals anyway.
   */
  changes(requests: readonly Uint8Array[]): Ack[] {
    const acks = requests.map((): Ack => ({ errno: 0 }));
    for (let i = 0; i < requests.length; i += MESSAGES_PER_SEND) {
      const part = requests.slice(i, i + MESSAGES_PER_SEND);
      const first = this.#send(part);
      for (let last = -1; last < part.length - 1;) {
        const { sequence, ack } = this.#nextAck();
        const j = (sequence - first) >>> 0;
        if (j >= part.length) continue;
        acks[i + j] = ack;
        last = j;
      }
    }
    return acks;
  }

  /** Sends one change. */
  change(request: Uint8Array): Ack {
    return this.changes([request])[0] ?? { errno: 0 };
  }

  /** Like `change`, but sends in a thread of libuv's pool: for deletions, which block for 20 ms or more. */
  async changeSlowly(request: Uint8Array): Promise<Ack> {
    const first = this.#take(1);
    await sendAsync(this.#fd, batch([request], first));
    for (;;) {
      const { sequence, ack } = this.#nextAck();
      if (sequence === first) return ack;
    }
  }

  /**
   * Sends a query with a single answer. `undefined` if the kernel answers with one of `absent`, or not at all, as for the
   * qdisc of a device that has none. Throws for another errno.
   */
  get<T>(
    request: Uint8Array,
    decode: (message: NetlinkMessage) => T,
    absent: readonly string[] = [],
  ): T | undefined {
    const sequence = this.#send([request]);
    for (;;) {
      const answers = this.#receive();
      const answer = answers.find((message) => message.sequence === sequence);
      const ack = answer && readAck(answer);
      if (answer && !ack) return decode(answer);
      if (ack && !absent.includes(errnoName(ack.errno)))
        throw syscallError("ask the kernel", errnoName(ack.errno));
      // The rest of an earlier query that failed comes first.
      if (ack || answers.length === 0) return undefined;
    }
  }

  /**
   * Sends a query with a list of answers, and repeats it if the list changed meanwhile. Values that `decode` skips are left
   * out.
   */
  dump<T>(request: Uint8Array, decode: (message: NetlinkMessage) => T | undefined): T[] {
    try {
      for (let attempt = 1; ; attempt++) {
        const { values, isInterrupted } = this.#dumpOnce(request, decode);
        if (!isInterrupted || attempt === DUMP_ATTEMPTS) return values;
      }
    } catch (error) {
      // The kernel sends no second list before the first is read to its end.
      while (this.#receive().length > 0);
      throw error;
    }
  }

  close(): void {
    close(this.#fd);
  }

  #dumpOnce<T>(
    request: Uint8Array,
    decode: (message: NetlinkMessage) => T | undefined,
  ): { values: T[]; isInterrupted: boolean } {
    const sequence = this.#send([request]);
    const values: T[] = [];
    let isInterrupted = false;
    for (;;) {
      const answers = this.#receive();
      if (answers.length === 0) throw new KernelError("INTERNAL", "dump: the kernel's answer has no end");
      for (const message of answers) {
        if (message.sequence !== sequence) continue;
        isInterrupted ||= isDumpInterrupted(message);
        const ack = readAck(message);
        // The queried device has just been removed with everything on it.
        if (ack && errnoName(ack.errno) === "ENODEV") return { values, isInterrupted: false };
        if (ack && ack.errno !== 0) throw syscallError("dump", errnoName(ack.errno));
        if (ack) return { values, isInterrupted };
        const value = decode(message);
        if (value !== undefined) values.push(value);
      }
    }
  }

  #nextAck(): { sequence: number; ack: Ack } {
    for (;;) {
      const answers = this.#receive();
      if (answers.length === 0) throw new KernelError("INTERNAL", "change the kernel: no acknowledgement");
      for (const message of answers) {
        const ack = readAck(message);
        if (ack) return { sequence: message.sequence, ack };
      }
    }
  }

  #take(count: number): number {
    const first = this.#sequence;
    this.#sequence = (first + count) >>> 0;
    return first;
  }

  #send(requests: readonly Uint8Array[]): number {
    const first = this.#take(requests.length);
    send(this.#fd, batch(requests, first));
    return first;
  }

  /** The messages of the next datagram; empty if there is no datagram. */
  #receive(): NetlinkMessage[] {
    const datagram = receive(this.#fd, buffer);
    const answers = datagram ? messages(datagram) : [];
    if (answers[0]) this.#port = answers[0].port;
    return answers;
  }
}
