/** Frames by hand, for tests that ask what a device does with what no well-behaved sender sends. */
import { execFileSync } from "node:child_process";
import { mustParseIp } from "../net/ip.ts";
import { parseMac } from "../net/mac.ts";
import type { Netns } from "../kernel/kernel.ts";
import { internetChecksum } from "./icmp-message.ts";
import type { LinuxMachine } from "./machine.ts";
import { bind, close, receive, send, SOCK_RAW, waitReadable } from "./syscall.ts";

const AF_PACKET = 17;

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, ipv6: 0x86dd } as const;

/** A packet socket on one device: sends whole frames, and sees those of one ethertype that come in. */
export class FrameSocket {
  readonly #fd: number;
  readonly #buffer = new Uint8Array(70_000);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  static async open(
    machine: LinuxMachine,
    place: { readonly netns: Netns; readonly link: string },
    ethertype: number,
  ): Promise<FrameSocket> {
    const kind = { domain: AF_PACKET, type: SOCK_RAW, protocol: 0 };
    const { fd } = await machine.open({ type: "socket", netns: place.netns, kind });
    // struct sockaddr_ll: u16 family | be16 protocol | i32 ifindex | u16 type | u8 pkttype | u8 length | u8[8] address
    const address = new DataView(new ArrayBuffer(20));
    address.setUint16(0, AF_PACKET, true);
    address.setUint16(2, ethertype);
    address.setInt32(4, linkIndex(place.netns, place.link), true);
    bind(fd, new Uint8Array(address.buffer));
    return new FrameSocket(fd);
  }

  send(frame: Uint8Array): void {
    send(this.#fd, frame);
  }

  /** The next frame that fits. Fails when none at all has come for a minute. */
  async receive(fits: (frame: Uint8Array) => boolean): Promise<Uint8Array> {
    for (;;) {
      const frame = receive(this.#fd, this.#buffer);
      if (frame && fits(frame)) return frame.slice();
      if (!frame && !(await waitReadable(this.#fd, 60_000))) throw new Error("no such frame came in");
    }
  }

  close(): void {
    close(this.#fd);
  }
}

/** What `ip -json` says, of a namespace below /run/netns. */
export function ipJson(netns: Netns, ...words: readonly string[]): readonly Record<string, unknown>[] {
  const name = netns.slice(netns.lastIndexOf("/") + 1);
  const text = execFileSync("ip", ["-n", name, "-json", ...words], { encoding: "utf8" });
  return text.trim() === "" ? [] : (JSON.parse(text) as Record<string, unknown>[]);
}

function linkIndex(netns: Netns, link: string): number {
  return Number(ipJson(netns, "link", "show", "dev", link)[0]?.["ifindex"]);
}

export function macOf(netns: Netns, link: string): string {
  return String(ipJson(netns, "link", "show", "dev", link)[0]?.["address"]);
}

/** Sender and receiver, as MACs or as IP addresses. */
export interface Envelope {
  readonly to: string;
  readonly from: string;
}

export function ethernet({ to, from }: Envelope, ethertype: number, payload: Uint8Array): Uint8Array {
  return bytes(mac(to), mac(from), be16(ethertype), payload);
}

/** RFC 791, without options. */
export function ipv4({ to, from }: Envelope, protocol: number, payload: Uint8Array, id = 1): Uint8Array {
  const header = bytes(
    [0x45, 0],
    be16(20 + payload.length),
    be16(id),
    [0, 0, 64, protocol, 0, 0],
    ip(from),
    ip(to),
  );
  header.set(be16(internetChecksum(header)), 10);
  return bytes(header, payload);
}

/** RFC 8200, with the hop limit that neighbour discovery demands. */
function ipv6({ to, from }: Envelope, nextHeader: number, payload: Uint8Array): Uint8Array {
  return bytes([0x60, 0, 0, 0], be16(payload.length), [nextHeader, 255], ip(from), ip(to), payload);
}

/** An ICMPv6 packet, with its checksum over the pseudo header (RFC 4443 section 2.3). */
export function icmpv6(envelope: Envelope, type: number, body: Uint8Array): Uint8Array {
  const message = bytes([type, 0, 0, 0], body);
  const pseudo = bytes(ip(envelope.from), ip(envelope.to), be32(message.length), be32(58), message);
  message.set(be16(internetChecksum(pseudo)), 2);
  return ipv6(envelope, 58, message);
}

export function bytes(...parts: readonly Iterable<number>[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

export function be16(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

export function be32(value: number): number[] {
  return [...be16(value >>> 16), ...be16(value & 0xffff)];
}

export function ip(address: string): Uint8Array {
  return mustParseIp(address).bytes;
}

export function mac(text: string): Uint8Array {
  const parsed = parseMac(text);
  if (!parsed) throw new TypeError(`${text} is no MAC`);
  return parsed;
}
