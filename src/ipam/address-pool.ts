/** Single addresses out of one prefix, lowest first. Exact for any prefix length: IPv6 is arithmetic like IPv4. */
import { boundsOf, type Range } from "../net/cover.ts";
import { type IpPrefix, overlaps } from "../net/ip.ts";
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

/**
 * The free addresses of one prefix, as sorted ranges with a gap between any two. Costs grow with the number of
 * addresses in use, never with the size of the prefix.
 */
export class AddressPool {
  readonly prefix: IpPrefix;
  readonly #free: Range[];

  constructor(prefix: IpPrefix) {
    this.prefix = prefix;
    this.#free = usable(prefix);
  }

  /** The lowest free address that is in none of `excluded`, or `undefined` if there is none. */
  take(excluded: readonly IpPrefix[]): bigint | undefined {
    const walls = excluded
      .filter((prefix) => prefix.address.family === this.prefix.address.family)
      .map(boundsOf)
      .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
    for (const range of this.#free) {
      let value = range.first;
      for (const wall of walls) {
        if (wall.first <= value && value <= wall.last) value = wall.last + 1n;
      }
      if (value <= range.last) {
        this.claim(value);
        return value;
      }
    }
    return undefined;
  }

  /** Takes this very address. False if it is in use, or not of this prefix. */
  claim(value: bigint): boolean {
    const index = this.#search(value);
    const range = this.#free[index];
    if (!range || value < range.first) return false;
    this.#free.splice(index, 1, ...without(range, { first: value, last: value }));
    return true;
  }

  /** Gives an address back that `take` or `claim` has given. */
  free(value: bigint): void {
    const index = this.#search(value);
    const before = this.#free[index - 1];
    const after = this.#free[index];
    const joinsBefore = before !== undefined && before.last === value - 1n;
    const joinsAfter = after !== undefined && after.first === value + 1n;
    const joined = { first: joinsBefore ? before.first : value, last: joinsAfter ? after.last : value };
    this.#free.splice(joinsBefore ? index - 1 : index, Number(joinsBefore) + Number(joinsAfter), joined);
  }

  /** Index of the first range that does not end before `value`. */
  #search(value: bigint): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = this.#free[middle];
      if (range && range.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
