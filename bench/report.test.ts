import assert from "node:assert/strict";
import { test } from "node:test";
import { measurePairs, pairedRow, percentile, plainRow, readCpuTimes, spread, stealShare } from "./report.ts";

test("a percentile is always one of the measured samples", () => {
  const samples = Array.from({ length: 200 }, (_, index) => 200 - index);
  assert.deepEqual(
    [percentile(samples, 50), percentile(samples, 99), percentile(samples, 100)],
    [100, 198, 200],
  );
  assert.equal(percentile([7], 99), 7);
  assert.ok(Number.isNaN(percentile([], 50)));
  assert.equal(spread([90, 100, 110, 100]), "±5 %");
});

test("subject and baseline are measured in turn, and the ratio is the median of the pairs", async () => {
  const log: string[] = [];
  let weather = 0;
  const paired = await measurePairs({
    pairs: 3,
    subject: () => {
      log.push("A");
      weather += 1;
      return 2 * weather;
    },
    baseline: async () => {
      log.push("B");
      return weather;
    },
    maxStealShare: 1,
  });
  assert.equal(log.join(""), "ABABAB");
  assert.deepEqual(pairedRow("x", "ms", paired), {
    ...plainRow("x", "ms", [2, 4, 6]),
    baseline: 2,
    ratio: 2,
  });
});

test("stolen time is a share of all time", () => {
  const before = readCpuTimes("cpu  100 0 50 800 10 5 5 30 20 0\ncpu0 1 1\n");
  assert.deepEqual(before, { steal: 30, total: 1000 });
  assert.equal(stealShare(before, { steal: 40, total: 1200 }), 0.05);
  assert.equal(stealShare(before, before), 0);
});
