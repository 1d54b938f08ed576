/** Sets of addresses as ranges of integers, and as few prefixes as say exactly the same. */
import { addressBits, type IpAddress, type IpPrefix, network } from "./ip.ts";

export function toInteger(address: IpAddress): bigint {
  return address.bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

export function fromInteger(value: bigint, family: 4 | 6): IpAddress {
  const bytes = Uint8Array.from({ length: addressBits(family) / 8 }, (_, i) =>
    Number((value >> BigInt(addressBits(family) - 8 * (i + 1))) & 0xffn),
  );
  return { family, bytes };
}

/** Both ends belong to it. */
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
 * The fewest prefixes that hold every address of `prefixes` and no other one, lowest first, IPv4 before IPv6. Two
 * neighbours become one prefix only where that prefix holds nothing else.
 */
export function fewestPrefixes(prefixes: readonly IpPrefix[]): IpPrefix[] {
  return ([4, 6] as const).flatMap((family) =>
    joined(prefixes.filter(({ address }) => address.family === family).map(boundsOf)).flatMap((range) =>
      cut(range, family),
    ),
  );
}

/** Ranges with a gap between any two. */
function joined(ranges: readonly Range[]): Range[] {
  const all: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of ranges.toSorted((a, b) => (a.first < b.first ? -1 : 1))) {
    const before = all.at(-1);
    if (!before || first > before.last + 1n) all.push({ first, last });
    else if (last > before.last) before.last = last;
  }
  return all;
}

/** From its first address on, each time the largest prefix that begins there and ends in the range. */
function cut({ first, last }: Range, family: 4 | 6): IpPrefix[] {
  const prefixes: IpPrefix[] = [];
  for (let at = first; at <= last;) {
    let bits = 0n;
    while (bits < addressBits(family) && at % (2n << bits) === 0n && at + (2n << bits) - 1n <= last) bits++;
    prefixes.push({ address: fromInteger(at, family), length: addressBits(family) - Number(bits) });
    at += 1n << bits;
  }
  return prefixes;
}
