import assert from "node:assert/strict";
import { test } from "node:test";
import { seal, unseal } from "./seal.ts";

const KIND = { what: "wish", version: 2 };
const CONTENT = new TextEncoder().encode("content\nof two lines");

function problemOf(bytes: Uint8Array): string {
  const result = unseal(KIND, bytes);
  return result.ok ? assert.fail("it was taken for whole") : result.problem;
}

test("unseal returns the sealed content, even if it is empty", () => {
  for (const content of [CONTENT, new Uint8Array(), new Uint8Array([0, 10, 255])])
    assert.deepEqual(unseal(KIND, seal(KIND, content)), { ok: true, content });
});

test("unseal detects every truncation and every flipped bit", () => {
  const sealed = seal(KIND, CONTENT);
  for (let length = 0; length < sealed.length; length++) problemOf(sealed.subarray(0, length));
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = sealed.slice();
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    problemOf(flipped);
  }
});

test("the problem names the cause", () => {
  const sealed = seal(KIND, CONTENT);
  assert.equal(problemOf(new Uint8Array()), "it is empty");
  assert.equal(problemOf(CONTENT), "its first line is not the one that netloom writes");
  assert.equal(problemOf(sealed.subarray(0, -3)), "17 of 20 bytes are there after its first line");
  assert.match(
    problemOf(seal({ ...KIND, version: 3 }, CONTENT)),
    /version 3, and this netloom reads version 2/,
  );
  assert.match(problemOf(seal({ ...KIND, what: "answers" }, CONTENT)), /netloom's answers, not its wish/);
});
