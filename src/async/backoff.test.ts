import assert from "node:assert/strict";
import { test } from "node:test";
import { backoffMs } from "./backoff.ts";

test("a pause doubles up to its limit, and chance shortens it by up to half", () => {
  const pauses = (fraction: number) => [1, 2, 3, 7, 100, 5_000].map((n) => backoffMs(n, fraction));
  assert.deepEqual(pauses(1), [200, 400, 800, 10_000, 10_000, 10_000]);
  assert.deepEqual(pauses(0), [100, 200, 400, 5_000, 5_000, 5_000]);
  assert.equal(backoffMs(2, 1, { firstMs: 50, lastMs: 80 }), 80);
});
