import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { describeFault, drawFaults, type Fault, FaultPlan, minimiseFaults } from "./faults.ts";

const options = { seed: "7", hosts: ["alpha", "beta", "gamma"], durationMs: 1000, count: 200 };

suite("the fault list (R5)", () => {
  test("one seed draws one list, another seed another, and a longer list begins with the shorter", () => {
    const faults = drawFaults(options);
    assert.deepEqual(drawFaults(options), faults);
    assert.notDeepEqual(drawFaults({ ...options, seed: "8" }), faults);
    assert.deepEqual(drawFaults({ ...options, count: 50 }), faults.slice(0, 50));
  });

  test("all kinds of faults are drawn, pairs of hosts differ, and each fault has a description", () => {
    const faults = drawFaults(options);
    assert.deepEqual([...new Set(faults.map(({ kind }) => kind))].toSorted(), [
      "clock",
      "crash",
      "disk",
      "kernel",
      "message",
      "partition",
    ]);
    for (const fault of faults) {
      if (fault.kind === "partition") assert.notEqual(...fault.hosts);
      if (fault.kind === "message") assert.notEqual(fault.from, fault.to);
      assert.match(describeFault(fault), /^[a-z].*\d/);
    }
  });

  test("the plan strikes only the victim of a fault", () => {
    const lose: Fault = { kind: "message", from: "alpha", to: "beta", n: 3, how: "lose", delayMs: 0 };
    const full: Fault = { kind: "disk", host: "alpha", n: 2, how: "full" };
    const part: Fault = { kind: "partition", hosts: ["alpha", "beta"], atMs: 10, forMs: 5 };
    const plan = new FaultPlan([lose, full, part]);
    assert.deepEqual([plan.messages("alpha", "beta", 2), plan.messages("beta", "alpha", 3)], [[], []]);
    assert.deepEqual(
      [plan.disk("alpha", 1), plan.disk("beta", 2), plan.kernel("alpha", 2)],
      Array(3).fill(undefined),
    );
    assert.deepEqual(
      [9, 10, 14, 15].map((ms) => plan.isPartitioned("beta", "alpha", ms)),
      [false, true, true, false],
    );
    assert.equal(plan.isPartitioned("alpha", "gamma", 12), false);
    assert.equal(plan.struck, 1);
    assert.deepEqual(plan.messages("alpha", "beta", 3), [lose]);
    assert.equal(plan.disk("alpha", 2), "full");
    assert.equal(plan.struck, 3);
  });
});

suite("the minimiser", () => {
  const faults = drawFaults({ ...options, count: 40 });

  test("finds the few faults that matter, at any position", async () => {
    for (const wanted of [[0], [39], [3, 4], [0, 17, 39]]) {
      const needed = wanted.map((index) => faults[index]);
      let runs = 0;
      const smallest = await minimiseFaults(faults, async (kept) => {
        runs += 1;
        return needed.every((fault) => fault && kept.includes(fault));
      });
      assert.deepEqual(smallest, needed);
      assert.ok(runs < 60, `${runs} runs`);
    }
  });

  test("returns an empty list if the run fails without any fault", async () => {
    assert.deepEqual(await minimiseFaults(faults, async () => true), []);
  });

  test("keeps only faults of which none can be left out", async () => {
    const fails = async (kept: readonly Fault[]): Promise<boolean> => kept.length >= 7 || kept.length === 3;
    const smallest = await minimiseFaults(faults, fails);
    for (let index = 0; index < smallest.length; index++) {
      assert.equal(await fails(smallest.toSpliced(index, 1)), false);
    }
  });
});
