/**
 * Runs workloads in the simulator: the toy, or with `--mesh` whole meshes of the real control plane.
 *
 * `node scripts/sim.ts 7` replays one seed and prints its history; `--seeds 200` runs seeds 1 to 200, `--seeds 101-200` runs
 * those (default: 20), and both print a summary; `--hashes` prints only seed and trace hash; `--hunt 60` runs meshes of 3 to
 * 20 agents with fresh seeds for this many seconds. A violation ends the run with exit code 1 and the smallest fault list
 * that still shows it.
 */
import { randomInt } from "node:crypto";
import { parseArgs } from "node:util";
import { describeFault, type Fault, minimiseFaults } from "../src/sim/faults.ts";
import { formatHistoryEntry } from "../src/sim/history.ts";
import type { RunResult } from "../fixtures/sim/simulate.ts";
import { runMesh } from "../fixtures/sim/mesh.ts";
import { runToy } from "../fixtures/sim/toy.ts";

interface Run {
  readonly seed: string;
  readonly agents?: number;
  readonly faults?: readonly Fault[];
  readonly keepHistory: number;
}

type Simulate = (run: Run) => Promise<RunResult>;

/** Prints the violations, and the smallest fault list that causes them. */
async function explain(simulate: Simulate, run: Run, result: RunResult): Promise<void> {
  const fails = async (faults: readonly Fault[]): Promise<boolean> =>
    (await simulate({ ...run, faults, keepHistory: 0 })).violations.length > 0;
  const smallest = await minimiseFaults(result.faults, fails);
  const { violations } = await simulate({ ...run, faults: smallest, keepHistory: 0 });
  console.log(`\nseed ${run.seed} breaks what must hold:`);
  for (const violation of violations) console.log(`  ${violation}`);
  console.log(`with no more than these faults:`);
  for (const fault of smallest) console.log(`  ${describeFault(fault)}`);
  const options = [...(values.mesh ? ["--mesh"] : []), ...(run.agents ? ["--agents", run.agents] : [])];
  console.log(`replay it: node scripts/sim.ts ${[...options, run.seed].join(" ")}`);
  process.exitCode = 1;
}

async function replay(simulate: Simulate, run: Run): Promise<void> {
  const result = await simulate({ ...run, keepHistory: 1_000_000 });
  for (const entry of result.history) console.log(formatHistoryEntry(entry));
  const { events, operations, struck, faults, traceHash } = result;
  console.log(
    `seed ${run.seed}: ${events} events, ${operations} operations, ${struck} of ${faults.length} faults struck, trace ${traceHash}`,
  );
  if (result.violations.length > 0) await explain(simulate, run, result);
}

/** Runs all of `runs`, and prints a summary. */
async function survey(simulate: Simulate, runs: Iterable<Run>, hashesOnly: boolean): Promise<void> {
  const sum = { seeds: 0, operations: 0, struck: 0, virtualMs: 0 };
  const startedAt = performance.now();
  for (const run of runs) {
    const result = await simulate(run);
    sum.seeds += 1;
    sum.operations += result.operations;
    sum.struck += result.struck;
    sum.virtualMs += result.timeMs;
    if (hashesOnly) console.log(run.seed, result.traceHash);
    if (result.violations.length > 0) await explain(simulate, run, result);
  }
  if (hashesOnly) return;
  const seconds = (performance.now() - startedAt) / 1000;
  console.log(
    `${sum.seeds} seeds, ${sum.operations} operations, ${sum.struck} faults, ${Math.round(sum.virtualMs / 1000)} s of virtual time in ${seconds.toFixed(1)} s`,
  );
}

function* seedsOf(range: string): Iterable<Run> {
  const [first = 1, last = first] = range.includes("-") ? range.split("-").map(Number) : [1, Number(range)];
  for (let number = first; number <= last; number++) yield { seed: String(number), keepHistory: 0 };
}

/** Fresh seeds until the time is over or a run has failed. */
function* freshSeeds(seconds: number): Iterable<Run> {
  const endsAt = performance.now() + 1000 * seconds;
  while (performance.now() < endsAt && process.exitCode === undefined) {
    const seed = String(randomInt(2 ** 40));
    yield { seed, keepHistory: 0, ...(Number(seed) % 8 === 0 && { agents: 6 + (Number(seed) % 15) }) };
  }
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    mesh: { type: "boolean", default: false },
    seeds: { type: "string", default: "20" },
    agents: { type: "string" },
    hashes: { type: "boolean", default: false },
    hunt: { type: "string" },
  },
});
const [seed] = positionals;
// Faults make many errors, whose stacks nobody reads.
Error.stackTraceLimit = 0;
if (values.hunt !== undefined) {
  values.mesh = true;
  await survey(runMesh, freshSeeds(Number(values.hunt)), false);
} else {
  const simulate: Simulate = values.mesh ? runMesh : runToy;
  const agents = values.agents === undefined ? {} : { agents: Number(values.agents) };
  if (seed === undefined || seed === "") {
    await survey(simulate, seedsOf(values.seeds), values.hashes);
  } else await replay(simulate, { seed, keepHistory: 0, ...agents });
}
