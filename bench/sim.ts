/**
 * The speed of the simulator on one core: faults that found a victim, and calls of the hosts to their Worlds, per second of
 * CPU time (the run waits for nothing, so on an idle core this is wall time). The baseline is the same runs at the pace of
 * their own virtual time, as a fleet of real hosts would take it.
 */
import { sized } from "./sized.ts";
import { runToy } from "../fixtures/sim/toy.ts";
import { percentile, plainRow, readCpuTimes, report, spread, stealShare } from "./report.ts";
import { type BenchRow } from "./row.ts";

const BATCHES = sized(60, 2);
const SEEDS_PER_BATCH = sized(10, 2);

interface Batch {
  readonly seconds: number;
  readonly virtualSeconds: number;
  readonly faults: number;
  readonly operations: number;
}

async function runBatch(batch: number): Promise<Batch> {
  const startedAt = process.cpuUsage();
  const sum = { virtualSeconds: 0, faults: 0, operations: 0 };
  for (let n = 0; n < SEEDS_PER_BATCH; n++) {
    const seed = String(batch * SEEDS_PER_BATCH + n);
    const { violations, struck, operations, timeMs } = await runToy({ seed, keepHistory: 0 });
    if (violations.length > 0) throw new Error(`seed ${seed}: ${violations.join(", ")}`);
    sum.virtualSeconds += timeMs / 1000;
    sum.faults += struck;
    sum.operations += operations;
  }
  const { user, system } = process.cpuUsage(startedAt);
  return { ...sum, seconds: (user + system) / 1e6 };
}

function rateRow(name: "faults" | "operations", batches: readonly Batch[]): BenchRow {
  const rates = batches.map((batch) => batch[name] / batch.seconds);
  const pace = batches.map((batch) => batch[name] / batch.virtualSeconds);
  return {
    ...plainRow(name, "1/s", rates),
    baseline: percentile(pace, 50),
    ratio: percentile(
      batches.map(({ seconds, virtualSeconds }) => virtualSeconds / seconds),
      50,
    ),
  };
}

for (let warmUp = 0; warmUp < 3; warmUp++) await runBatch(warmUp);
const before = readCpuTimes();
const batches: Batch[] = [];
for (let batch = 0; batch < BATCHES; batch++) batches.push(await runBatch(batch));
const stolen = stealShare(before, readCpuTimes());
const seconds = batches.map((batch) => batch.seconds);
report(
  "sim",
  [rateRow("faults", batches), rateRow("operations", batches)],
  [
    `${BATCHES} batches of ${SEEDS_PER_BATCH} seeds, spread ${spread(seconds)}, stolen ${(100 * stolen).toFixed(1)} %`,
  ],
);
