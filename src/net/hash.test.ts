import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { hash64 } from "./hash.ts";

/** The hash as specified: one 64-bit multiplication for each byte. */
function byTheBook(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (const byte of new TextEncoder().encode(text))
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xff51afd7ed558ccdn);
  hash = BigInt.asUintN(64, (hash ^ (hash >> 33n)) * 0xc4ceb9fe1a85ec53n);
  return hash ^ (hash >> 33n);
}

test("the hash is FNV-1a with a final mix, for any text", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => hash64(text) === byTheBook(text)));
});

test("the hash of a text never changes, because device names in running kernels depend on it", () => {
  assert.deepEqual(
    ["", "a", "wire-1 client"].map((text) => hash64(text).toString(16)),
    ["efd01f60ba992926", "82a2a958a9bece5b", "2c9c9b9bc9d6f18c"],
  );
});
