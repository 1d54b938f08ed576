import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import { demo, type DemoStep } from "./demo.ts";
import { labFixture } from "../../fixtures/lab/lab.ts";
import { leftovers, readState } from "./state.ts";

const skip = needsRoot;

test(
  "the demo sends packets through both wires, in both families, and leaves nothing",
  { skip },
  async (t) => {
    const { machine, name } = await labFixture(t);
    const steps: DemoStep[] = [];
    for await (const step of demo(machine, { name })) steps.push(step);
    t.diagnostic(steps.map((step) => `${step.step} ${step.durationMs.toFixed(0)} ms`).join(", "));
    const probed = steps.filter((step) => step.step === "probed");
    assert.deepEqual(
      probed.map(({ wire }) => [wire.path.replace(/[0-9]+/, "N"), wire.mtuBytes, wire.state]),
      [
        ["veth on beta", 1500, "up"],
        ["vxlan vni N alpha→beta", 1446, "up"],
      ],
    );
    for (const { probes, problems, wire } of probed) {
      assert.deepEqual(
        probes.map(({ family, received }) => [family, received]),
        [
          [4, 10],
          [6, 10],
        ],
        wire.wire,
      );
      assert.deepEqual(problems, [], "the largest packet passes, and one byte more is refused");
      for (const { rttMs } of probes) assert.ok(rttMs, wire.wire);
      // Each family sends 10 probes and one of full size.
      assert.ok(
        (wire.interfaces.client?.received?.packets ?? 0) >= 22 &&
          (wire.interfaces.endpoint?.received?.packets ?? 0) >= 22,
        wire.wire,
      );
    }
    const last = steps.at(-1);
    assert.ok(last?.step === "removed");
    assert.deepEqual(last.leftovers, []);
    assert.deepEqual(await leftovers(name), []);
  },
);

test("the demo ends and cleans up when its caller stops reading", { skip }, async (t) => {
  const { machine, name } = await labFixture(t);
  for await (const { step } of demo(machine, { name })) if (step === "built") break;
  assert.deepEqual(await leftovers(name), []);
});

test("the demo does not touch another lab with its name", { skip }, async (t) => {
  const lab = await labFixture(t);
  const { machine, name } = lab;
  await lab.up(
    "apiVersion: netloom.dev/v1alpha1\nkind: Lab\nmetadata: { name: NAME }\nspec:\n  hosts: { mine: { workloads: [a] } }\n",
  );
  await assert.rejects(demo(machine, { name }).next(), { code: "ALREADY_EXISTS" });
  assert.match((await readState(name, "lab.yaml")) ?? "", /mine/);
});

test("the demo needs no program but Node", { skip }, async (t) => {
  const { name } = await labFixture(t);
  const child = fileURLToPath(new URL("../../fixtures/lab/up-child.ts", import.meta.url));
  const { status, stdout, stderr } = spawnSync(process.execPath, [child, name, "demo"], {
    env: { PATH: "/nonexistent", UV_THREADPOOL_SIZE: "32" },
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /removed\ndone\n$/);
});
