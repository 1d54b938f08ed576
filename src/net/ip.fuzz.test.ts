import assert from "node:assert/strict";
import { isIP } from "node:net";
import { test } from "node:test";
import fc from "fast-check";
import { contains, formatIp, formatPrefix, network, overlaps, parseIp, parsePrefix } from "./ip.ts";

const addresses = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ({ family: 4 as const, bytes })),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ({ family: 6 as const, bytes })),
  fc
    .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
    .map((bytes) => ({ family: 6 as const, bytes: Uint8Array.from(bytes) })),
);
const prefixes = fc
  .tuple(addresses, fc.nat(128))
  .map(([address, n]) => ({ address, length: address.family === 4 ? n % 33 : n }));

test("a formatted address parses back to the same address, and Node accepts it", () => {
  fc.assert(
    fc.property(addresses, (address) => {
      const text = formatIp(address);
      assert.equal(isIP(text), address.family);
      assert.deepEqual(parseIp(text), address);
    }),
  );
});

test("IPv6 text is canonical as in RFC 5952", () => {
  for (const [loose, canonical] of [
    ["2001:0DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["::", "::"],
    ["1::", "1::"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["::ffff:10.0.0.1", "::ffff:10.0.0.1"],
  ] as const) {
    const address = parseIp(loose);
    assert.ok(address, loose);
    assert.equal(formatIp(address), canonical);
  }
});

test("parseIp accepts exactly the texts that Node accepts", () => {
  const texts = fc.oneof(
    fc.string(),
    fc.string({ unit: fc.constantFrom("0", "1", "a", "F", ":", ".", "/", "255") }),
    fc.ipV6(),
    fc.ipV4(),
  );
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(parseIp(text)?.family ?? 0, isIP(text));
    }),
    { numRuns: 2000 },
  );
});

test("a network contains its own address, and overlap is symmetric", () => {
  fc.assert(
    fc.property(prefixes, prefixes, (a, b) => {
      assert.ok(contains(network(a), a.address));
      assert.equal(overlaps(a, b), overlaps(b, a));
      assert.deepEqual(parsePrefix(formatPrefix(a)), a);
    }),
  );
});
