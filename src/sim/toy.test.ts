import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { runToy } from "../../fixtures/sim/toy.ts";
import { type Fault, describeFault, minimiseFaults } from "./faults.ts";
import type { Plant } from "../../fixtures/sim/toy-agent.ts";
import type { RunResult } from "../../fixtures/sim/simulate.ts";

const SEEDS = 200;
const GROUP = 50;

async function findSeed(plant: Plant): Promise<{ seed: string; result: RunResult }> {
  for (let number = 1; number <= SEEDS; number++) {
    const seed = String(number);
    const result = await runToy({ seed, plant, keepHistory: 0 });
    if (result.violations.length > 0) return { seed, result };
  }
  return assert.fail(`no seed of ${SEEDS} found the bug`);
}

suite("three hosts that make and remove wires", () => {
  for (let first = 1; first <= SEEDS; first += GROUP)
    test(`seeds ${first} to ${first + GROUP - 1} of delays, losses and crashes leave every wanted wire up and nothing else`, async () => {
      const kinds = new Set<string>();
      let struck = 0;
      for (let number = first; number < first + GROUP; number++) {
        const result = await runToy({ seed: String(number), keepHistory: 0 });
        assert.deepEqual(result.violations, [], `node scripts/sim.ts ${number}`);
        struck += result.struck;
        for (const { kind } of result.faults) kinds.add(kind);
      }
      assert.equal(kinds.size, 6);
      assert.ok(struck > 5 * GROUP, `${struck} faults struck`);
    });

  test("a seed repeats the history of a toy, and another seed has another history", async () => {
    const [first, second, other] = await Promise.all(
      ["7", "7", "8"].map((seed) => runToy({ seed, keepHistory: 100_000 })),
    );
    assert.deepEqual(first, second);
    assert.notEqual(first?.traceHash, other?.traceHash);
  });

  test("removing a fault changes nothing before the time at which it would have struck", async () => {
    const full = await runToy({ seed: "4", keepHistory: 100_000 });
    const index = full.faults.findIndex(
      ({ kind, ...rest }) => kind === "crash" && "atMs" in rest && rest.atMs > 1500,
    );
    const crash = full.faults[index];
    assert.ok(crash?.kind === "crash");
    const without = await runToy({
      seed: "4",
      faults: full.faults.toSpliced(index, 1),
      keepHistory: 100_000,
    });
    const before = (result: RunResult): unknown => result.history.filter(({ timeMs }) => timeMs < crash.atMs);
    assert.deepEqual(before(without), before(full));
    assert.notEqual(without.traceHash, full.traceHash);
  });

  for (const [plant, bug] of [
    ["no-journal", "an end that answers before its journal is on disk"],
    ["no-tombstone", "an end that forgets that a wire was closed"],
  ] as const) {
    test(`${bug} is found by a seed, and the fault list shrinks to the cause`, async () => {
      const { seed, result } = await findSeed(plant);
      const fails = async (faults: readonly Fault[]): Promise<boolean> =>
        (await runToy({ seed, plant, faults, keepHistory: 0 })).violations.length > 0;
      const smallest = await minimiseFaults(result.faults, fails);
      assert.ok(smallest.length > 0 && smallest.length <= 3, smallest.map(describeFault).join("; "));
      for (let left = 0; left < smallest.length; left++) {
        assert.equal(await fails(smallest.toSpliced(left, 1)), false, "each of them is needed");
      }
      assert.deepEqual(
        (await runToy({ seed, faults: smallest })).violations,
        [],
        "without the bug it is right",
      );
    });
  }
});
