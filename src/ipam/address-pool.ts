/** Single addresses out of one prefix, lowest first. Exact for any prefix length: IPv6 is arithmetic like IPv4. */
import { boundsOf, joined, type Range } from "../net/cover.ts";
import { type IpPrefix, overlaps } from "../net/ip.ts";
import { RangeSet } from "../net/range-set.ts";
import { UNUSABLE } from "../net/unusable.ts";

/** The part of a prefix that the ends of wires can have. */
function usable(prefix: IpPrefix): Range[] {
  let ranges: Range[] = [boundsOf(prefix)];
  for (const { prefix: wall } of UNUSABLE)
    if (overlaps(wall, prefix)) ranges = ranges.flatMap((range) => without(range, boundsOf(wall)));
  return ranges;
}

function without({ first, last }: Range, wall: Range): Range[] {
  const before = { first, last: last < wall.first ? last : wall.first - 1n };
  const after = { first: first > wall.last ? first : wall.last + 1n, last };
  return [before, after].filter((each) => each.first <= each.last);
}

/** The free addresses of one prefix. Costs grow with the number of addresses in use, never with the size of the prefix. */
export class AddressPool {
  readonly prefix: IpPrefix;
  readonly #free: RangeSet;

  constructor(prefix: IpPrefix) {
    this.prefix = prefix;
    this.#free = new RangeSet(usable(prefix));
  }

  /** The lowest free address that is in none of `excluded`, or `undefined` if there is none. */
  take(excluded: readonly IpPrefix[]): bigint | undefined {
    const walls = joined(
      excluded.filter((prefix) => prefix.address.family === this.prefix.address.family).map(boundsOf),
    );
    let next = 0;
    for (const range of this.#free.ranges) {
      let value = range.first;
      // Both lists are sorted: a wall that ends before this range is of no use for the next range.
      for (let wall = walls[next]; wall && wall.first <= value; wall = walls[++next]) {
        if (value <= wall.last) value = wall.last + 1n;
        if (value > range.last) break;
      }
      if (value <= range.last) {
        this.claim(value);
        return value;
      }
    }
    return undefined;
  }

  /** Takes exactly this address. False if it is in use, or outside of the prefix. */
  claim(value: bigint): boolean {
    return this.#free.delete(value);
  }

  /** Gives back an address from `take` or `claim`. */
  free(value: bigint): void {
    this.#free.add(value);
  }
}
