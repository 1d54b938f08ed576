import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { describeObject } from "../../kernel/kernel-text.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import { arbitraryWire } from "../../../fixtures/forwarder/wire.ts";
import { batches, diff } from "./diff.ts";
import { contentOf, isDevice } from "../../kernel/objects.ts";
import { ModelKernel } from "../../../fixtures/forwarder/kernel-model.ts";
import { objectsOf } from "../../kernel/plan.ts";
import { plan } from "../plan/plan.ts";

function contents(objects: readonly KernelObject[]): string[] {
  return objects
    .filter(({ kind }) => kind !== "sysctl")
    .map(contentOf)
    .sort();
}

function converge(kernel: ModelKernel, wanted: readonly KernelObject[]): void {
  for (const batch of batches(diff(wanted, kernel.observe()))) {
    const kinds = batch.map(({ verb, object }) => verb === "remove" && isDevice(object));
    assert.equal(
      kinds.lastIndexOf(false) < (kinds.indexOf(true) + 1 || Infinity) - 1 || !kinds.includes(true),
      true,
      "removed devices are last in a batch",
    );
    for (const operation of batch) kernel.apply(operation);
  }
}

function isExactly(kernel: ModelKernel, wanted: readonly KernelObject[]): void {
  assert.deepEqual(contents(kernel.observe()), contents(wanted));
  assert.deepEqual(kernel.danglingPrograms(), []);
  const settings = new Set(kernel.everything().map(contentOf));
  for (const object of wanted) {
    if (object.kind === "sysctl")
      assert.ok(settings.has(contentOf(object)), `never set: ${describeObject(object)}`);
  }
  assert.deepEqual(diff(wanted, kernel.observe()), []);
}

test("a plan is built from nothing in its own order, and is removed without rest", () => {
  fc.assert(
    fc.property(arbitraryWire, (wire) => {
      const objects = objectsOf(plan(wire));
      const kernel = new ModelKernel();
      for (const object of objects) kernel.apply({ verb: "add", object });
      isExactly(kernel, objects);
      converge(kernel, []);
      isExactly(kernel, []);
    }),
    { numRuns: 500 },
  );
});

test("any wire becomes any other wire, and no step refers to a missing object", () => {
  fc.assert(
    fc.property(arbitraryWire, arbitraryWire, (before, after) => {
      const kernel = new ModelKernel();
      for (const object of objectsOf(plan(before))) kernel.apply({ verb: "add", object });
      converge(kernel, objectsOf(plan(after)));
      isExactly(kernel, objectsOf(plan(after)));
    }),
    { numRuns: 3000 },
  );
});

test("whatever a stranger removes comes back, and the rest stays untouched", () => {
  fc.assert(
    fc.property(arbitraryWire, fc.array(fc.nat(30), { minLength: 1, maxLength: 8 }), (wire, damage) => {
      const objects = objectsOf(plan(wire));
      const kernel = new ModelKernel();
      for (const object of objects) kernel.apply({ verb: "add", object });
      for (const n of damage) {
        const there = kernel.observe();
        const object = there[n % Math.max(1, there.length)];
        // A link that is set down loses its routes; the model does not do that.
        if (object && object.kind !== "up") kernel.apply({ verb: "remove", object });
      }
      converge(kernel, objects);
      isExactly(kernel, objects);
    }),
    { numRuns: 1000 },
  );
});
