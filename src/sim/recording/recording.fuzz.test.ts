import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NetloomError } from "../../errors/errors.ts";
import { Recording, decodeValue, encodeValue } from "./recording.ts";

test("a value survives encoding and decoding", () => {
  const value = fc.letrec((tie) => ({
    node: fc.oneof(
      { depthSize: "small" },
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
      fc.constant(undefined),
      fc.uint8Array(),
      fc.array(tie("node")),
      fc.dictionary(fc.stringMatching(/^[a-z]+$/), tie("node"), { noNullPrototype: true }),
    ),
  })).node;
  fc.assert(fc.property(value, (original) => assert.deepEqual(decodeValue(encodeValue(original)), original)));
});

test("a truncated or changed recording is either read or refused", () => {
  const whole = new Recording("alpha", 1000);
  for (let call = 0; call < 5; call++) whole.add({ kind: "call", name: "disk.sync", args: ["a"], call });
  const text = whole.text();
  const read = (changed: string): void => {
    try {
      Recording.parse(changed);
    } catch (error) {
      assert.ok(error instanceof NetloomError && error.code === "INVALID_ARGUMENT", String(error));
    }
  };
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(8), fc.string(), (at, length, noise) =>
      read(text.slice(0, at) + noise + text.slice(at + length)),
    ),
  );
  fc.assert(fc.property(fc.string(), read));
});
