/**
 * Runs the toy workload in the simulator.
 *
 * `node scripts/sim.ts 7` replays one seed and prints its history; `--seeds 200` runs seeds 1 to 200 (default: 20) and
 * prints a summary; `--hashes` prints nothing but seed and trace hash. A violation ends it with exit code 1 and the
 * smallest fault list that still shows it.
 */
import { parseArgs } from "node:util";
import { describeFault, minimiseFaults } from "../src/sim/faults.ts";
import { formatHistoryEntry } from "../src/sim/history.ts";
import type { ToyResult } from "../src/sim/toy.ts";
import { simulateToy } from "./simulated-toy.ts";

async function explain(seed: string, result: ToyResult): Promise<void> {
  const smallest = await minimiseFaults(
    result.faults,
    async (faults) => (await simulateToy({ seed, faults, keepHistory: 0 })).violations.length > 0,
  );
  console.log(`\nseed ${seed} breaks what must hold:`);
  for (const violation of result.violations) console.log(`  ${violation}`);
  console.log(`with no more than these faults:`);
  for (const fault of smallest) console.log(`  ${describeFault(fault)}`);
  process.exitCode = 1;
}

async function replay(seed: string): Promise<void> {
  const result = await simulateToy({ seed, keepHistory: 1_000_000 });
  for (const entry of result.history) console.log(formatHistoryEntry(entry));
  const { events, operations, struck, faults, traceHash } = result;
  console.log(
    `seed ${seed}: ${events} events, ${operations} operations, ${struck} of ${faults.length} faults struck, trace ${traceHash}`,
  );
  if (result.violations.length > 0) await explain(seed, result);
}

async function survey(count: number, hashesOnly: boolean): Promise<void> {
  const sum = { operations: 0, struck: 0, virtualMs: 0 };
  const startedAt = performance.now();
  for (let number = 1; number <= count; number++) {
    const seed = String(number);
    const result = await simulateToy({ seed, keepHistory: 0 });
    sum.operations += result.operations;
    sum.struck += result.struck;
    sum.virtualMs += result.timeMs;
    if (hashesOnly) console.log(seed, result.traceHash);
    if (result.violations.length > 0) await explain(seed, result);
  }
  if (hashesOnly) return;
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${count} seeds, ${sum.operations} operations, ${sum.struck} faults, ${Math.round(sum.virtualMs / 1000)} s of virtual time in ${seconds.toFixed(1)} s`,
  );
  console.log("replay one of them: make sim SEED=7");
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "20" }, hashes: { type: "boolean", default: false } },
});
const [seed] = positionals;
if (seed === undefined || seed === "") await survey(Number(values.seeds), values.hashes);
else await replay(seed);
