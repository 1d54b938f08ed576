/** Reading addresses of a lab file, and finding free ones. */
import { hash64 } from "../net/hash.ts";
import {
  addressBits,
  contains,
  formatIp,
  formatPrefix,
  type IpAddress,
  type IpPrefix,
  mustParsePrefix,
  network,
  overlaps,
  parseIp,
  parsePrefix,
} from "../net/ip.ts";
import { quote } from "../document/problem.ts";

/** A value, or a sentence that says why there is none. */
export type Read<T> = { readonly value: T } | { readonly error: string };

const unusable: readonly (readonly [IpPrefix, string])[] = [
  [mustParsePrefix("0.0.0.0/8"), "an unspecified address"],
  [mustParsePrefix("127.0.0.0/8"), "a loopback address"],
  [mustParsePrefix("224.0.0.0/3"), "a multicast or reserved address"],
  [mustParsePrefix("::/127"), "the unspecified or the loopback address"],
  [mustParsePrefix("fe80::/10"), "a link-local address"],
  [mustParsePrefix("ff00::/8"), "a multicast address"],
];

/** `10.0.0.0/24`, with no bit set behind the prefix. */
export function readSubnet(text: string): Read<IpPrefix> {
  const prefix = parsePrefix(text);
  if (!prefix) {
    const hint = parseIp(text) ? "; the prefix length is missing" : "";
    return { error: `${quote(text)} is no prefix such as 10.0.0.0/24 or fd00::/64${hint}` };
  }
  const canonical = formatPrefix(network(prefix));
  if (canonical !== formatPrefix(prefix)) {
    return { error: `${quote(text)} has bits set behind its length; did you mean "${canonical}"?` };
  }
  return { value: prefix };
}

/** `10.0.0.1/24`: an address of one end, with the length of its subnet. */
export function readInterfaceAddress(text: string): Read<IpPrefix> {
  const prefix = parsePrefix(text);
  if (!prefix) {
    const hint = parseIp(text) ? "; the prefix length is missing" : "";
    return {
      error: `${quote(text)} is no address with prefix length such as 10.0.0.1/24 or fd00::1/64${hint}`,
    };
  }
  const error = whyUnusable(prefix.address, text) ?? whySubnetsOwn(prefix, text);
  return error === undefined ? { value: prefix } : { error };
}

/** `10.0.0.1`, or with the full length. */
export function readPointToPointAddress(text: string): Read<IpAddress> {
  const prefix = parsePrefix(text);
  if (prefix && prefix.length !== addressBits(prefix.address.family)) {
    return { error: `${quote(text)}: a wire is point to point; write the address without a prefix length` };
  }
  const address = prefix?.address ?? parseIp(text);
  if (!address) return { error: `${quote(text)} is no address such as 10.0.0.1 or fd00::1` };
  const error = whyUnusable(address, text);
  return error === undefined ? { value: address } : { error };
}

function whyUnusable(address: IpAddress, text: string): string | undefined {
  const reason = unusable.find(([prefix]) => contains(prefix, address))?.[1];
  return reason && `${quote(text)} is ${reason}, which no interface can have here`;
}

function whySubnetsOwn(prefix: IpPrefix, text: string): string | undefined {
  const { address, length } = prefix;
  const bits = addressBits(address.family);
  if (length >= bits - 1) return undefined;
  if (formatIp(network(prefix).address) === formatIp(address)) {
    return `${quote(text)} is the address of the subnet itself; take the next one`;
  }
  if (address.family === 4 && formatIp(lastOf(prefix)) === formatIp(address)) {
    return `${quote(text)} is the broadcast address of its subnet`;
  }
  return undefined;
}

/** Two addresses of a subnet: its first two that an interface may have. */
export function firstTwo(subnet: IpPrefix): readonly [IpAddress, IpAddress] | undefined {
  const room = addressBits(subnet.address.family) - subnet.length;
  if (room === 0) return undefined;
  const first = room === 1 ? 0 : 1;
  return [plus(subnet.address, first), plus(subnet.address, first + 1)];
}

const wireRoom = { 4: mustParsePrefix("172.16.0.0/12"), 6: mustParsePrefix("fd4e:4c01::/32") };
const linkRoom = { 4: mustParsePrefix("10.0.0.0/8"), 6: mustParsePrefix("fd4e:4c00::/32") };

/**
 * Hands out subnets by the hash of a name, so that adding or removing one wire or link renumbers no other. Those that
 * are taken are passed over.
 */
export class AddressPool {
  readonly #taken: IpPrefix[];

  constructor(taken: readonly IpPrefix[]) {
    this.#taken = [...taken];
  }

  /** A /30 or /64 for the link `name`. */
  takeLinkSubnet(name: string, family: 4 | 6): IpPrefix {
    return this.#take(linkRoom[family], family === 4 ? 30 : 64, name);
  }

  /** Two addresses for the wire `name`. */
  takeWirePair(name: string, family: 4 | 6): readonly [IpAddress, IpAddress] {
    const pair = firstTwo(this.#take(wireRoom[family], family === 4 ? 31 : 64, name));
    if (!pair) throw new TypeError("a pair has room for two");
    return pair;
  }

  #take(room: IpPrefix, length: number, name: string): IpPrefix {
    const slots = 2 ** (length - room.length);
    const start = Number(hash64(name) % BigInt(slots));
    for (let n = 0; n < slots; n++) {
      const offset = BigInt((start + n) % slots) << BigInt(addressBits(room.address.family) - length);
      const subnet = { address: plus(room.address, offset), length };
      // The first subnet of a room looks like a default: leave it to people.
      if ((start + n) % slots === 0 || this.#taken.some((other) => overlaps(other, subnet))) continue;
      this.#taken.push(subnet);
      return subnet;
    }
    throw new RangeError("no free subnet: a lab file cannot hold that many");
  }
}

function plus(address: IpAddress, offset: number | bigint): IpAddress {
  let value = address.bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n) + BigInt(offset);
  const bytes = new Uint8Array(address.bytes.length);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 0xffn);
    value >>= 8n;
  }
  return { family: address.family, bytes };
}

function lastOf(prefix: IpPrefix): IpAddress {
  const room = BigInt(addressBits(prefix.address.family) - prefix.length);
  return plus(network(prefix).address, (1n << room) - 1n);
}
