/** Pings an address from inside a namespace, without an external program. */
import { randomInt } from "node:crypto";
import { addressBits, mustParseIp } from "../../net/ip.ts";
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import type { Descriptor, Privileged } from "../../kernel/privileged.ts";
import { decodeEchoReply, encodeEchoRequest } from "./icmp-message.ts";
import {
  bindToDevice,
  connectSocket,
  receive,
  send,
  setSocketOption,
  SOCK_NONBLOCK,
  SOCK_RAW,
  waitReadable,
} from "../libc/syscall.ts";

/** Opens sockets in namespaces. */
type Opener = Pick<Privileged, "open">;

const AF = { 4: 2, 6: 10 } as const;
const IPPROTO = { 4: 1, 6: 58 } as const;
/** IP_MTU_DISCOVER and IPV6_MTU_DISCOVER = "do": DF set, never fragmented here. */
const MTU_DISCOVER = { 4: { level: 0, name: 10, value: 2 }, 6: { level: 41, name: 23, value: 2 } } as const;

const defaultTimeoutMs = 1000;
/** The default of ping(8). */
const defaultPayloadBytes = 56;

export interface ProbeOptions {
  /** Default: 1000. */
  readonly timeoutMs?: number;
  /** Bytes after the ICMP header. Default: 56. The packet has 8 more, plus the IP header (20 or 40). */
  readonly payloadBytes?: number;
}

export interface EchoAnswer {
  /** Round-trip time; `undefined` if no answer came in time, or if the kernel reports that none can come. */
  readonly rttMs: number | undefined;
  /** The symbolic errno of the reason why none can come: `EHOSTUNREACH`, or `EMSGSIZE` for a packet over the path's MTU. */
  readonly errno?: string;
}

/** Sends echo requests from one namespace to one address. Keeps the namespace alive until `close`. */
export class Pinger {
  readonly #socket: Descriptor;
  readonly #family: 4 | 6;
  readonly #identifier = randomInt(1, 0x10000);
  readonly #buffer = new Uint8Array(65536);
  #sequence = 0;

  private constructor(socket: Descriptor, family: 4 | 6) {
    this.#socket = socket;
    this.#family = family;
  }

  /**
   * With `device`, requests leave by it, and only answers that arrive there count; otherwise the routes decide. NOT_FOUND
   * without the namespace or the device, FAILED_PRECONDITION without a route to `address`, PERMISSION_DENIED without
   * CAP_NET_RAW.
   */
  static async open(machine: Opener, netns: Netns, address: string, device?: string): Promise<Pinger> {
    const pinger = await Pinger.openUnaimed(machine, netns, mustParseIp(address).family);
    try {
      if (device !== undefined) bindToDevice(pinger.#socket.fd, device);
      pinger.aim(address);
    } catch (error) {
      pinger.close();
      throw error;
    }
    return pinger;
  }

  /** Opens a pinger without a destination: set one with `aim`. */
  static async openUnaimed(machine: Opener, netns: Netns, family: 4 | 6): Promise<Pinger> {
    const kind = { domain: AF[family], type: SOCK_RAW | SOCK_NONBLOCK, protocol: IPPROTO[family] };
    const socket = await machine.open({ type: "socket", netns, kind });
    try {
      const { level, name, value } = MTU_DISCOVER[family];
      setSocketOption(socket.fd, level, name, value);
    } catch (error) {
      socket.close();
      throw error;
    }
    return new Pinger(socket, family);
  }

  /** Sets the destination, of the same family. FAILED_PRECONDITION without a route to it. */
  aim(address: string): void {
    connectSocket(this.#socket.fd, socketAddress(this.#family, mustParseIp(address).bytes));
  }

  /** Sends one request and waits for its answer. */
  async probe(options: ProbeOptions = {}): Promise<EchoAnswer> {
    const sequence = (this.#sequence = (this.#sequence + 1) & 0xffff);
    const payload = new Uint8Array(options.payloadBytes ?? defaultPayloadBytes).fill(sequence);
    const request = encodeEchoRequest(this.#family, { identifier: this.#identifier, sequence, payload });
    const sentAt = performance.now();
    const giveUpAt = sentAt + (options.timeoutMs ?? defaultTimeoutMs);
    try {
      send(this.#socket.fd, request);
      for (;;) {
        // On one machine the answer usually arrives before `send` returns.
        const packet = receive(this.#socket.fd, this.#buffer);
        const now = performance.now();
        const reply = packet && decodeEchoReply(this.#family, packet);
        if (reply?.identifier === this.#identifier && reply.sequence === sequence)
          return { rttMs: now - sentAt };
        if (now >= giveUpAt) return { rttMs: undefined };
        if (!packet) await waitReadable(this.#socket.fd, giveUpAt - now);
      }
    } catch (error) {
      if (error instanceof KernelError && error.errno !== undefined)
        return { rttMs: undefined, errno: error.errno };
      throw error;
    }
  }

  close(): void {
    this.#socket.close();
  }
}

/** Sends one probe from `netns` to `address`. See `Pinger`. */
export async function ping(
  machine: Opener,
  {
    netns,
    address,
    device,
    ...options
  }: { readonly netns: Netns; readonly address: string; readonly device?: string } & ProbeOptions,
): Promise<EchoAnswer> {
  const pinger = await Pinger.open(machine, netns, address, device);
  try {
    return await pinger.probe(options);
  } finally {
    pinger.close();
  }
}

/** The length of the IP header of a packet to `address`, without options. */
export function ipHeaderBytes(address: string): number {
  return mustParseIp(address).family === 4 ? 20 : 40;
}

/** `struct sockaddr_in` or `sockaddr_in6`: family, port, in IPv6 the flow label, then the address. */
function socketAddress(family: 4 | 6, address: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(family === 4 ? 16 : 28);
  new DataView(bytes.buffer).setUint16(0, AF[family], true);
  bytes.set(address.subarray(0, addressBits(family) / 8), family === 4 ? 4 : 8);
  return bytes;
}
