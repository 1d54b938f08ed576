/**
 * A batch takes effect completely or not at all. After a crash of the kernel's implementation the finished operations stay.
 */
import assert from "node:assert/strict";
import { NetloomError } from "../../src/errors/errors.ts";
import { describeOperation } from "../../src/kernel/kernel-text.ts";
import type { KernelObject, Netns } from "../../src/kernel/kernel.ts";
import {
  add,
  assertRefusal,
  canonical,
  type ContractCase,
  kernelError,
  remove,
  stateOf,
} from "./kernel-contract-harness.ts";
import { lone, scene, shared, tbf, tunnel, veth, vxlan, vxlan6 } from "./kernel-contract-specimens.ts";

/** A batch with objects of every kind, in the order of a plan. */
function everything(workload: Netns): KernelObject[] {
  const on = { netns: workload, link: "nl-1" };
  const [pair, ...rest] = scene(workload);
  assert.ok(pair);
  return [
    pair,
    vxlan("host", "vx-1"),
    lone(workload, "dev-1"),
    vxlan6(workload, "vx-2"),
    shared,
    lone("host", "dev-2"),
    { kind: "program", netns: "host", link: "dev-2", verdict: "encapsulate", tunnel },
    { kind: "program", netns: "host", link: shared.name, verdict: "decapsulate", port: shared.port },
    { kind: "program", netns: "host", link: "ch-1", verdict: "redirect", target: "vx-1" },
    { kind: "program", netns: "host", link: "vx-1", verdict: "redirect-peer", target: "ch-1" },
    tbf("ch-1"),
    ...rest,
    { kind: "address", ...on, address: "10.1.0.1/32", peer: "10.1.0.2/32" },
    { kind: "route", ...on, destination: "10.2.0.0/24", via: "10.0.0.1" },
    { kind: "route", ...on, destination: "fd02::/64", via: "fd00::1", table: 1000 },
    { kind: "neighbor", ...on, address: "10.0.0.7", mac: "02:00:00:00:00:77" },
    { kind: "neighbor", ...on, address: "fd00::7", mac: "02:00:00:00:00:77" },
    { kind: "rule", netns: workload, family: 6, priority: 100, table: 1000, from: "fd00::2/128" },
  ];
}

export const undoCases: readonly ContractCase[] = [
  {
    title: "additions that fail at any operation leave nothing, and the next attempt succeeds",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const objects = everything(workload);
      for (const [operation, object] of objects.entries())
        for (const when of ["before", "after"] as const) {
          const failpoint = { operation, when, how: "error" } as const;
          const error = await kernelError(kernel.apply(add(...objects), { failpoint }));
          assert.equal(error.operation, operation);
          assert.ok(error.message.startsWith(describeOperation({ verb: "add", object })), error.message);
          assert.deepEqual(await stateOf(kernel, "host", workload), [], `${when} ${error.message}`);
        }
      await kernel.apply(add(...objects));
      assert.deepEqual(await stateOf(kernel, "host", workload), canonical(objects));
    },
  },
  {
    title: "removals that fail at any operation are undone completely",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const objects = everything(workload);
      await kernel.apply(add(...objects));
      const removals = remove(...objects);
      for (const [operation, { object }] of removals.entries())
        for (const when of ["before", "after"] as const) {
          await assert.rejects(kernel.apply(removals, { failpoint: { operation, when, how: "error" } }));
          assert.deepEqual(
            await stateOf(kernel, "host", workload),
            canonical(objects),
            `${when} ${describeOperation({ verb: "remove", object })}`,
          );
        }
      await kernel.apply(removals);
      assert.deepEqual(await stateOf(kernel, "host", workload), []);
    },
  },
  {
    title: "a link set up in a failed batch keeps the neighbours and addresses that it had when it was down",
    async run(harness) {
      const kernel = await harness.kernel();
      const on = { netns: "host", link: "dev-1" } as const;
      const before: KernelObject[] = [
        lone("host", "dev-1"),
        { kind: "address", ...on, address: "fd01::1/64" },
        { kind: "neighbor", ...on, address: "fd01::2", mac: "02:00:00:00:00:77" },
        { kind: "neighbor", ...on, address: "10.0.0.7", mac: "02:00:00:00:00:77" },
      ];
      await kernel.apply(add(...before));
      const failpoint = { operation: 0, when: "after", how: "error" } as const;
      await assert.rejects(kernel.apply(add({ kind: "up", ...on }), { failpoint }));
      assert.deepEqual(await stateOf(kernel, "host"), canonical(before));
    },
  },
  {
    title: "undoing the removal of a program restores it, and adds none where none was",
    needs: ["tcx links"],
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      for (const netns of ["host", workload] as const) {
        const name = `dev-${netns === "host" ? 1 : 2}`;
        const device = lone(netns, name);
        const program = { kind: "program", netns, link: name, verdict: "pass" } as const;
        await kernel.apply(add(device));
        const failpoint = { operation: 0, when: "after", how: "error" } as const;
        await assert.rejects(kernel.apply(remove(program), { failpoint }));
        assert.deepEqual(await stateOf(kernel, netns), canonical([device]));
        await kernel.apply(add(program));
        await assert.rejects(kernel.apply(remove(program), { failpoint }));
        assert.deepEqual(await stateOf(kernel, netns), canonical([device, program]));
      }
    },
  },
  {
    title: "a device keeps its neighbours if a failed batch has added its first IPv4 address",
    async run(harness) {
      const kernel = await harness.kernel();
      const on = { netns: "host", link: "dev-1" } as const;
      const before: KernelObject[] = [
        lone("host", "dev-1"),
        { kind: "neighbor", ...on, address: "10.0.0.7", mac: "02:00:00:00:00:77" },
      ];
      await kernel.apply(add(...before));
      const failpoint = { operation: 0, when: "after", how: "error" } as const;
      const address = { kind: "address", ...on, address: "10.0.0.1/24" } as const;
      await assert.rejects(kernel.apply(add(address), { failpoint }));
      assert.deepEqual(await stateOf(kernel, "host"), canonical(before));
    },
  },
  {
    title: "of two operations that are both invalid, the first is reported",
    async run(harness) {
      const kernel = await harness.kernel();
      const [first, second] = [
        { kind: "route", netns: "host", link: "dev-1", destination: "10.2.0.0/24" },
        { kind: "route", netns: "host", link: "none", destination: "10.2.0.0/24" },
      ] as const;
      await kernel.apply(add(lone("host", "dev-1")));
      const [operation] = add(first);
      assert.ok(operation);
      assertRefusal(await kernelError(kernel.apply(add(first, second))), operation, "ENETDOWN", 0);
    },
  },
  {
    title: "a link removed before the failure is restored",
    async run(harness) {
      const kernel = await harness.kernel();
      const links = [lone("host", "dev-1"), vxlan("host", "vx-1")];
      await kernel.apply(add(...links));
      const failpoint = { operation: 1, when: "before", how: "error" } as const;
      await assert.rejects(kernel.apply(remove(...links), { failpoint }));
      assert.deepEqual(await stateOf(kernel, "host"), canonical(links));
      await kernel.apply(remove(...links));
      assert.deepEqual(await stateOf(kernel, "host"), []);
    },
  },
  {
    title: "removing a link before the end of a batch is an assertion, and nothing is done",
    async run(harness) {
      const kernel = await harness.kernel();
      const [first, second] = [lone("host", "dev-1"), lone("host", "dev-2")];
      await kernel.apply(add(first));
      const outcome = await Promise.allSettled([kernel.apply([...remove(first), ...add(second)])]);
      assert.equal(outcome[0].status, "rejected");
      assert.ok(!(outcome[0].reason instanceof NetloomError), String(outcome[0].reason));
      assert.deepEqual(await stateOf(kernel, "host"), canonical([first]));
    },
  },
  {
    title: "a crash in a batch leaves the finished operations, and the next start continues from there",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const objects = [veth(workload), lone("host", "dev-1"), vxlan("host", "vx-1")];
      for (const [when, done] of [
        ["before", 1],
        ["after", 2],
      ] as const) {
        const failpoint = { operation: 1, when, how: "crash" } as const;
        const error = await kernelError(kernel.apply(add(...objects), { failpoint }));
        assert.equal(error.code, "ABORTED", error.message);
        assert.deepEqual(await stateOf(kernel, "host", workload), canonical(objects.slice(0, done)));
        await kernel.apply(remove(...objects));
        assert.deepEqual(await stateOf(kernel, "host", workload), []);
      }
      await kernel.apply(add(...objects));
      assert.deepEqual(await stateOf(kernel, "host", workload), canonical(objects));
    },
  },
  {
    title: "a batch that waits behind a crashing one is answered too",
    async run(harness) {
      const kernel = await harness.kernel();
      const [first, second] = [lone("host", "dev-1"), lone("host", "dev-2")];
      const failpoint = { operation: 0, when: "after", how: "crash" } as const;
      const outcomes = await Promise.allSettled([
        kernel.apply(add(first), { failpoint }),
        kernel.apply(add(second)),
      ]);
      assert.equal(outcomes[0].status, "rejected");
      const isSecondDone = outcomes[1].status === "fulfilled";
      assert.deepEqual(await stateOf(kernel, "host"), canonical(isSecondDone ? [first, second] : [first]));
    },
  },
];
