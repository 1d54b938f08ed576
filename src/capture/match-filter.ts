/**
 * Tells whether a filter passes an Ethernet frame. The answer is tcpdump's, with two exceptions: headers behind VLAN tags are
 * read too, and a frame that ends before a field does not have that field (tcpdump drops such a frame, even if the filter negates
 * the test).
 */
import { contains, type IpAddress } from "../net/ip.ts";
import type { Filter, ProtocolName } from "./filter.ts";

/** The bytes of a frame that any filter needs at most: two VLAN tags, the longest IPv4 header, ports. */
export const FILTER_BYTES = 128;

/** include/uapi/linux/if_ether.h */
const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, rarp: 0x8035, ipv6: 0x86dd } as const;
const VLAN_TAGS: readonly number[] = [0x8100, 0x88a8];
/** RFC 1700, https://www.iana.org/assignments/protocol-numbers */
const IP_PROTOCOL = { icmp: 1, tcp: 6, udp: 17, fragment: 44, icmp6: 58, sctp: 132 } as const;
const WITH_PORTS: readonly number[] = [IP_PROTOCOL.tcp, IP_PROTOCOL.udp, IP_PROTOCOL.sctp];

const IPV6_HEADER_BYTES = 40;

export function matchesFilter(filter: Filter, frame: Uint8Array): boolean {
  return matches(filter, new FrameReader(frame));
}

function matches(filter: Filter, frame: FrameReader): boolean {
  switch (filter.type) {
    case "and":
      return matches(filter.left, frame) && matches(filter.right, frame);
    case "or":
      return matches(filter.left, frame) || matches(filter.right, frame);
    case "not":
      return !matches(filter.of, frame);
    case "host":
      return frame.hasAddress({ address: filter.address, length: filter.address.bytes.length * 8 });
    case "net":
      return frame.hasAddress(filter.prefix);
    case "port":
      return frame.hasPort(filter.port);
    case "protocol":
    default:
      return frame.isOf(filter.name);
  }
}

/** Reads fields at the place that the headers give. A field beyond the end of the frame is `undefined`. */
class FrameReader {
  readonly #frame: Uint8Array;
  readonly #ethertype: number | undefined;
  /** Start of the network header. */
  readonly #at: number;

  constructor(frame: Uint8Array) {
    this.#frame = frame;
    let at = 12;
    while (VLAN_TAGS.includes(this.#number16(at) ?? 0)) at += 4;
    this.#ethertype = this.#number16(at);
    this.#at = at + 2;
  }

  hasAddress(prefix: { readonly address: IpAddress; readonly length: number }): boolean {
    const { family } = prefix.address;
    const bytes = family === 4 ? 4 : 16;
    return this.#addressesAt(family).some((offset) => {
      const from = this.#at + offset;
      const found = this.#frame.subarray(from, from + bytes);
      return found.length === bytes && contains(prefix, { family, bytes: found });
    });
  }

  hasPort(port: number): boolean {
    const at = this.#portsAt();
    return at !== undefined && [this.#number16(at), this.#number16(at + 2)].includes(port);
  }

  isOf(protocol: ProtocolName): boolean {
    if (protocol === "arp") return this.#ethertype === ETHERTYPE.arp;
    const number = IP_PROTOCOL[protocol];
    if (this.#ethertype === ETHERTYPE.ipv4 && protocol !== "icmp6") return this.#byte(9) === number;
    if (this.#ethertype !== ETHERTYPE.ipv6 || protocol === "icmp") return false;
    const next = this.#byte(6);
    return next === number || (next === IP_PROTOCOL.fragment && this.#byte(IPV6_HEADER_BYTES) === number);
  }

  #addressesAt(family: 4 | 6): readonly number[] {
    if (family === 6) return this.#ethertype === ETHERTYPE.ipv6 ? [8, 24] : [];
    if (this.#ethertype === ETHERTYPE.ipv4) return [12, 16];
    return this.#ethertype === ETHERTYPE.arp || this.#ethertype === ETHERTYPE.rarp ? [14, 24] : [];
  }

  /** Start of the ports. Only the first fragment of a packet has them. */
  #portsAt(): number | undefined {
    if (this.#ethertype === ETHERTYPE.ipv6)
      return WITH_PORTS.includes(this.#byte(6) ?? 0) ? this.#at + IPV6_HEADER_BYTES : undefined;
    if (this.#ethertype !== ETHERTYPE.ipv4 || !WITH_PORTS.includes(this.#byte(9) ?? 0)) return undefined;
    if (((this.#number16(this.#at + 6) ?? 1) & 0x1fff) !== 0) return undefined;
    return this.#at + 4 * ((this.#byte(0) ?? 0) & 0xf);
  }

  /** A byte of the network header. */
  #byte(offset: number): number | undefined {
    return this.#frame[this.#at + offset];
  }

  #number16(at: number): number | undefined {
    const [high, low] = [this.#frame[at], this.#frame[at + 1]];
    return high === undefined || low === undefined ? undefined : (high << 8) | low;
  }
}
