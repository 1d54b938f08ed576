/** A set of integers as sorted, non-adjacent ranges. Costs grow with the number of gaps, not with the size of the set. */
import type { Range } from "./cover.ts";

export class RangeSet {
  readonly #ranges: Range[];

  /** `ranges` must be sorted and non-adjacent. */
  constructor(ranges: readonly Range[] = []) {
    this.#ranges = [...ranges];
  }

  get ranges(): readonly Range[] {
    return this.#ranges;
  }

  /** Adds `value`, which must not be in the set. */
  add(value: bigint): void {
    const index = this.#search(value);
    const before = this.#ranges[index - 1];
    const after = this.#ranges[index];
    const joinsBefore = before !== undefined && before.last === value - 1n;
    const joinsAfter = after !== undefined && after.first === value + 1n;
    const joined = { first: joinsBefore ? before.first : value, last: joinsAfter ? after.last : value };
    this.#ranges.splice(joinsBefore ? index - 1 : index, Number(joinsBefore) + Number(joinsAfter), joined);
  }

  /** Removes `value`. False if it was not in the set. */
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

  /** The index of the first range whose end is at or after `value`. */
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
