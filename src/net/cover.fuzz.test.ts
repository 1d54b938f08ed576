import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { boundsOf, fewestPrefixes, fromInteger } from "./cover.ts";
import { formatPrefix, mustParsePrefix, type IpPrefix } from "./ip.ts";

const text = (prefixes: readonly string[]): string[] =>
  fewestPrefixes(prefixes.map(mustParsePrefix)).map(formatPrefix);

test("neighbouring prefixes merge where the merged prefix holds nothing else", () => {
  assert.deepEqual(text(["10.0.0.0/32", "10.0.0.1/32"]), ["10.0.0.0/31"]);
  assert.deepEqual(text(["10.0.0.1/32", "10.0.0.2/32"]), ["10.0.0.1/32", "10.0.0.2/32"]);
  assert.deepEqual(text(["fd00::1/128", "10.9.1.2/8", "fd00::/128", "10.1.0.0/16"]), [
    "10.0.0.0/8",
    "fd00::/127",
  ]);
  assert.deepEqual(text(["0.0.0.0/1", "128.0.0.0/1", "::/0"]), ["0.0.0.0/0", "::/0"]);
});

/** Ranges of 64 addresses, so small that random prefixes touch. Two lie at an end of the address space. */
const BASES = ["192.0.2.64/26", "255.255.255.192/26", "0.0.0.0/26", "2001:db8::40/122"] as const;

const sets = fc.record({
  base: fc.constantFrom(...BASES),
  parts: fc.array(fc.record({ at: fc.nat(63), bits: fc.nat(3) }), { maxLength: 60 }),
});

test("any set of prefixes is covered exactly, with the fewest prefixes possible", () => {
  fc.assert(
    fc.property(sets, ({ base, parts }) => {
      const { first } = boundsOf(mustParsePrefix(base));
      const { family } = mustParsePrefix(base).address;
      const width = family === 4 ? 32 : 128;
      const given: IpPrefix[] = parts.map(({ at, bits }) => ({
        address: fromInteger(first + BigInt(at), family),
        length: width - bits,
      }));
      const within = (prefixes: readonly IpPrefix[]): boolean[] => {
        const ranges = prefixes.map(boundsOf);
        return Array.from({ length: 64 }, (_, i) =>
          ranges.some((range) => range.first <= first + BigInt(i) && first + BigInt(i) <= range.last),
        );
      };
      const cover = fewestPrefixes(given);
      assert.deepEqual(within(cover), within(given));
      assert.equal(cover.length, fewest(within(given)));
    }),
    { numRuns: 300 },
  );
});

/** Counts the fewest prefixes by halving: one for a range that is all in the set, otherwise the sum of its halves. */
function fewest(isIn: readonly boolean[]): number {
  if (isIn.every(Boolean)) return 1;
  if (!isIn.some(Boolean)) return 0;
  const half = isIn.length / 2;
  return fewest(isIn.slice(0, half)) + fewest(isIn.slice(half));
}
