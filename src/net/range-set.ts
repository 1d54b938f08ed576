/** A set of integers as sorted ranges with a gap between any two: costs grow with the gaps, never with its size. */
import type { Range } from "./cover.ts";

export class RangeSet {
  readonly #ranges: Range[];

  /** `ranges` are sorted, with a gap between any two. */
  constructor(ranges: readonly Range[] = []) {
    this.#ranges = [...ranges];
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** `value` is not in it. */
  add(value: bigint): void {
    const index = this.#search(value);
    const before = this.#ranges[index - 1];
    const after = this.#ranges[index];
    const joinsBefore = before !== undefined && before.last === value - 1n;
    const joinsAfter = after !== undefined && after.first === value + 1n;
    const joined = { first: joinsBefore ? before.first : value, last: joinsAfter ? after.last : value };
    this.#ranges.splice(joinsBefore ? index - 1 : index, Number(joinsBefore) + Number(joinsAfter), joined);
  }

  /** False if it was not in it. */
  delete(value: bigint): boolean {
    const index = this.#search(value);
    const range = this.#ranges[index];
    if (!range || value < range.first) return false;
    const rest = [
      { first: range.first, last: value - 1n },
      { first: value + 1n, last: range.last },
    ].filter(({ first, last }) => first <= last);
    this.#ranges.splice(index, 1, ...rest);
    return true;
  }

  /** Index of the first range that does not end before `value`. */
  #search(value: bigint): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const range = this.#ranges[middle];
      if (range && range.last < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
