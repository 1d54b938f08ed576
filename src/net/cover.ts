/** Sets of addresses as integer ranges, and the fewest prefixes for a set. */
import { addressBits, type IpAddress, type IpPrefix, network } from "./ip.ts";

export function toInteger(address: IpAddress): bigint {
  let hex = "0x";
  for (const byte of address.bytes) hex += byte.toString(16).padStart(2, "0");
  return BigInt(hex);
}

export function fromInteger(value: bigint, family: 4 | 6): IpAddress {
  const bytes = new Uint8Array(addressBits(family) / 8);
  const hex = value.toString(16).padStart(bytes.length * 2, "0");
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16);
  return { family, bytes };
}

/** An inclusive range. */
export interface Range {
  readonly first: bigint;
  readonly last: bigint;
}

/** First and last address of a prefix, as integers. */
export function boundsOf(prefix: IpPrefix): Range {
  const first = toInteger(network(prefix).address);
  return { first, last: first + (1n << BigInt(addressBits(prefix.address.family) - prefix.length)) - 1n };
}

/**
 * The fewest prefixes that cover exactly the addresses of `prefixes`, lowest first, IPv4 before IPv6. Two neighbours merge
 * only where the merged prefix holds nothing else.
 */
export function fewestPrefixes(prefixes: readonly IpPrefix[]): IpPrefix[] {
  return ([4, 6] as const).flatMap((family) =>
    prefixesOf(joined(prefixes.filter(({ address }) => address.family === family).map(boundsOf)), family),
  );
}

/** The fewest prefixes for sorted, non-adjacent ranges. */
export function prefixesOf(ranges: readonly Range[], family: 4 | 6): IpPrefix[] {
  return ranges.flatMap((range) => cut(range, family));
}

/** Merges ranges into sorted, non-adjacent ones. */
export function joined(ranges: readonly Range[]): Range[] {
  const all: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const before = all.at(-1);
    if (!before || first > before.last + 1n) all.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  return all;
}

/**
 * Splits a range: from its first address on, repeatedly takes the largest prefix that begins there and ends in the range.
 */
function cut({ first, last }: Range, family: 4 | 6): IpPrefix[] {
  const prefixes: IpPrefix[] = [];
  for (let at = first; at <= last;) {
    const room = log2(last - at + 1n);
    const bits = at === 0n ? room : Math.min(room, log2(at & -at));
    prefixes.push({ address: fromInteger(at, family), length: addressBits(family) - bits });
    at += 1n << BigInt(bits);
  }
  return prefixes;
}

/** log2, rounded down. */
function log2(value: bigint): number {
  return value.toString(2).length - 1;
}
