import assert from "node:assert/strict";
import { test } from "node:test";
import { nextIndex } from "./links.ts";

test("no two devices share an index, and only busy devices are in the hash chains of the uplinks", () => {
  const seen = new Set<number>();
  for (let n = 0; n < 2_000; n++) {
    const isBusy = n % 40 === 0;
    const index = nextIndex({ isBusy });
    assert.ok(!seen.has(index) && index >= 2 ** 24 && index < 2 ** 31);
    assert.equal(index % 256 < 32, isBusy);
    seen.add(index);
  }
});
