/** The real control plane under faults. */
import assert from "node:assert/strict";
import { suite, test } from "node:test";
import { runMesh } from "../../fixtures/sim/mesh.ts";
import { type Fault, describeFault, minimiseFaults } from "./faults.ts";
import type { MeshPlant } from "../../fixtures/sim/mesh-agent.ts";

/** About a second each. CI runs more. */
const SEEDS = Number(process.env["NETLOOM_SEEDS"] ?? 20);

suite("under faults every wanted wire comes up, and no object is left over or has two owners", () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    test(`with seed ${seed}`, async () => {
      const { violations } = await runMesh({ seed: String(seed), keepHistory: 0 });
      assert.deepEqual(violations, [], `node scripts/sim.ts --mesh ${seed}`);
    });
});

suite("a registry and agents that expose and connect", () => {
  test("a mesh of 20 agents comes to rest", async () => {
    const result = await runMesh({ seed: "1", agents: 20, keepHistory: 0 });
    assert.deepEqual(result.violations, [], "node scripts/sim.ts --mesh --agents 20 1");
    assert.ok(result.wires >= 40 && result.struck > 20, `${result.wires} wires, ${result.struck} faults`);
  });

  test("one seed gives one history, and another seed another", async () => {
    const [first, second, other] = await Promise.all(
      ["3", "3", "4"].map((seed) => runMesh({ seed, keepHistory: 100_000 })),
    );
    assert.deepEqual(first, second);
    assert.notEqual(first?.traceHash, other?.traceHash);
  });
});

suite("agents that lose all data on their disks", () => {
  for (let seed = 1; seed <= 6; seed++)
    test(`reach the wanted state once it is applied again, with seed ${seed}`, async () => {
      const { violations } = await runMesh({
        seed: String(seed),
        plant: "forgets-disk",
        keepHistory: 0,
      });
      assert.deepEqual(violations, []);
    });
});

suite("planted bugs are found", () => {
  const plants: readonly (readonly [MeshPlant, string, RegExp])[] = [
    ["no-sweep", "an agent that keeps unwanted objects after a restart", /is left in the kernel/],
    ["forgets-deletes", "an operator who forgets to delete", /still has/],
  ];
  for (const [plant, bug, shown] of plants) {
    test(`${bug} is found by a seed, and the fault list is minimal`, async () => {
      for (let number = 1; ; number++) {
        assert.ok(number <= 50, "no seed of 50 has found it");
        const seed = String(number);
        const run = (faults?: readonly Fault[]) =>
          runMesh({ seed, plant, keepHistory: 0, ...(faults && { faults }) });
        const found = await run();
        if (!found.violations.some((violation) => shown.test(violation))) continue;
        const smallest = await minimiseFaults(
          found.faults,
          async (faults) => (await run(faults)).violations.length > 0,
        );
        assert.ok(smallest.length <= 4, smallest.map(describeFault).join("; "));
        return;
      }
    });
  }
});

suite("exceeded time limits are found under faults", () => {
  const away = { kind: "crash", downMs: 26_000 } as const;
  const plants: readonly (readonly [MeshPlant, string, Fault, RegExp])[] = [
    [
      "renews-the-dead",
      "a registry that renews the leases of hosts that have died",
      { ...away, host: "host-0", atMs: 6000 },
      /^endpoints\/forwarder-host-0 is there \d+ ms after the death of host-0$/,
    ],
    [
      "one-registry",
      "an agent that uses no other registry when its own has died",
      { ...away, host: "registry", atMs: 6000 },
      /^endpoints\/forwarder-host-0 has expired, and host-0 lives$/,
    ],
    [
      "slow-start",
      "an agent that needs a minute after its start to bring up all wires",
      { kind: "crash", host: "host-0", atMs: 6000, downMs: 100 },
      /^\d+ ms after the last fault wire-\d+ of host-\d+ to service-\d+ is /,
    ],
  ];
  for (const [plant, bug, fault, shown] of plants)
    test(bug, async () => {
      const run = (planted: { readonly plant?: MeshPlant }) =>
        runMesh({ seed: "1", faults: [fault], keepHistory: 0, ...planted });
      const [right, wrong] = [await run({}), await run({ plant })];
      assert.deepEqual(right.violations, []);
      assert.ok(
        wrong.violations.some((violation) => shown.test(violation)),
        wrong.violations.join("\n"),
      );
    });
});
