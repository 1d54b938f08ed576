/** Slow deletions, concurrent batches, and namespaces that are created and removed. */
import assert from "node:assert/strict";
import type { KernelObject } from "../../src/kernel/kernel.ts";
import {
  add,
  assertRefusal,
  canonical,
  type ContractCase,
  eventOf,
  kernelError,
  remove,
  STRANGERS_MARK,
  stateOf,
} from "./kernel-contract-harness.ts";
import { lone, end, scene, veth, vxlan } from "./kernel-contract-specimens.ts";

export const lifeCases: readonly ContractCase[] = [
  {
    title: "a removed link is hidden at once, and its name and VNI are free for the next batch",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const objects = [veth(workload), vxlan("host", "vx-1"), lone("host", "dev-1")];
      const renamed = { ...vxlan("host", "vx-2"), alias: "another name, the same VNI" };
      for (let round = 0; round < 3; round++) {
        await kernel.apply(add(...objects));
        await kernel.apply(remove(...objects));
        assert.deepEqual(await stateOf(kernel, "host", workload), []);
        await kernel.apply(add(renamed));
        await kernel.apply(remove(renamed));
      }
    },
  },
  {
    title: "removing a veth pair leaves another pair with one of its names alone",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const stale: KernelObject = { kind: "veth", ends: [end("host", "ch-1", 1), end(workload, "nl-2", 3)] };
      const other: KernelObject = { kind: "veth", ends: [end("host", "ch-2", 4), end(workload, "nl-2", 3)] };
      await kernel.apply(add(veth(workload), other));
      await kernel.apply(remove(stale));
      await kernel.settle();
      assert.deepEqual(await stateOf(kernel, "host", workload), canonical([veth(workload), other]));
    },
  },
  {
    title: "removing a device and its objects leaves both alone if the device belongs to another owner now",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const theirs = [veth(workload), lone("host", "dev-1"), vxlan("host", "vx-1")];
      const ours = theirs.map((object): KernelObject =>
        JSON.parse(JSON.stringify(object).replaceAll("client-", "server-")),
      );
      const on = { netns: workload, link: "nl-1" };
      const address: KernelObject = { kind: "address", ...on, address: "10.0.0.1/24" };
      await kernel.apply(add(...theirs, address));
      await kernel.apply(remove(...ours, address));
      await kernel.settle();
      assert.deepEqual(await stateOf(kernel, "host", workload), canonical([...theirs, address]));
    },
  },
  {
    title: "a removed link does not exist for the next batch",
    async run(harness) {
      const kernel = await harness.kernel();
      const device = lone("host", "dev-1");
      await kernel.apply(add(device));
      await kernel.apply(remove(device));
      for (const operation of add(
        { kind: "up", netns: "host", link: "dev-1" },
        { kind: "address", netns: "host", link: "dev-1", address: "10.0.0.1/24" },
        { kind: "program", netns: "host", link: "dev-1", verdict: "pass" },
      ))
        assertRefusal(await kernelError(kernel.apply([operation])), operation, "ENODEV", 0);
    },
  },
  {
    title: "removing a link removes all objects on it",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      await kernel.apply(
        add(
          ...scene(workload),
          { kind: "program", netns: "host", link: "ch-1", verdict: "pass" },
          { kind: "route", netns: workload, link: "nl-1", destination: "10.2.0.0/24", via: "10.0.0.1" },
          { kind: "neighbor", netns: workload, link: "nl-1", address: "10.0.0.7", mac: "02:00:00:00:00:77" },
        ),
      );
      await kernel.apply(remove(veth(workload)));
      assert.deepEqual(await stateOf(kernel, "host", workload), []);
      await kernel.settle();
      await kernel.apply(add(veth(workload)));
      assert.deepEqual(await stateOf(kernel, "host", workload), canonical([veth(workload)]));
    },
  },
  {
    title: "a link that goes down loses its routes, its neighbours and its IPv6 addresses",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const up = { kind: "up", netns: workload, link: "nl-1" } as const;
      await kernel.apply(
        add(
          ...scene(workload),
          { kind: "route", netns: workload, link: "nl-1", destination: "10.2.0.0/24", via: "10.0.0.1" },
          { kind: "route", netns: workload, link: "nl-1", destination: "fd02::/64", via: "fd00::1" },
          { kind: "neighbor", netns: workload, link: "nl-1", address: "10.0.0.7", mac: "02:00:00:00:00:77" },
        ),
      );
      await kernel.apply(remove(up));
      const address = { kind: "address", netns: workload, link: "nl-1", address: "10.0.0.2/24" } as const;
      const seen = await kernel.observe([{ netns: workload, links: ["nl-1"] }]);
      assert.deepEqual(canonical(seen.filter((object) => object.kind !== "veth")), canonical([address]));
    },
  },
  {
    title: "settle resolves when the names are free for every kernel",
    async run(harness) {
      const host = await harness.netns();
      const kernel = await harness.kernel({ host });
      const stranger = await harness.kernel({ host, mark: STRANGERS_MARK });
      await kernel.settle();
      await kernel.apply(add(lone("host", "dev-1"), vxlan("host", "vx-1")));
      await kernel.apply(remove(lone("host", "dev-1"), vxlan("host", "vx-1")));
      await kernel.settle();
      await stranger.apply(add(lone("host", "dev-1"), vxlan("host", "vx-1")));
    },
  },
  {
    title: "batches in one namespace take effect in the order of their calls",
    async run(harness) {
      const kernel = await harness.kernel();
      const device = lone("host", "dev-1");
      const changed = { ...device, alias: "changed" };
      await Promise.all([
        kernel.apply(add(device)),
        kernel.apply([{ verb: "change", object: changed, from: device }]),
        kernel.apply(remove(changed)),
        kernel.apply(add(device)),
      ]);
      assert.deepEqual(await stateOf(kernel, "host"), canonical([device]));
    },
  },
  {
    title: "many concurrent batches, in one namespace and in several, all take effect",
    async run(harness) {
      const workloads = [await harness.netns(), await harness.netns(), await harness.netns()];
      const kernel = await harness.kernel();
      const pairs = workloads.flatMap((workload, n) =>
        Array.from({ length: 5 }, (_, i): KernelObject => {
          const number = n * 5 + i + 1;
          return {
            kind: "veth",
            ends: [end("host", `ch-${number}`, number), end(workload, `nl-${i}`, 0x80 + number)],
          };
        }),
      );
      await Promise.all(pairs.map((pair) => kernel.apply(add(pair))));
      assert.deepEqual(await stateOf(kernel, "host", ...workloads), canonical(pairs));
      await Promise.all(pairs.map((pair) => kernel.apply(remove(pair))));
      assert.deepEqual(await stateOf(kernel, "host", ...workloads), []);
    },
  },
  {
    title: "an identity leads to its namespace, and never to another one at the same path",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const first = await kernel.resolve(workload);
      assert.match(first.netns, /^inode:\/\/\d+\/\d+$/);
      assert.deepEqual(await kernel.resolve(first.netns), first);
      await kernel.apply(add(lone(first.netns, "dev-1")));
      assert.deepEqual(await stateOf(kernel, workload), canonical([lone(workload, "dev-1")]));
      await harness.recreateNetns(workload);
      const second = await kernel.resolve(workload);
      assert.notEqual(second.cookie, first.cookie);
      if (second.netns !== first.netns)
        assert.equal((await kernelError(kernel.resolve(first.netns))).code, "NOT_FOUND");
      assert.deepEqual(await stateOf(kernel, workload), []);
    },
  },
  {
    title: "a missing namespace is NOT_FOUND, and removals in it succeed",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const { netns: identity } = await kernel.resolve(workload);
      await harness.removeNetns(workload);
      for (const gone of [workload, identity, "file:///proc/4194305/ns/net", "inode://4/1"] as const) {
        assert.equal((await kernelError(kernel.resolve(gone))).code, "NOT_FOUND", gone);
        const [operation] = add(lone(gone, "dev-1"));
        assert.ok(operation);
        assertRefusal(await kernelError(kernel.apply([operation])), operation, "ENOENT", 0);
        await kernel.apply(remove(...scene(gone).toSpliced(0, 1)));
      }
    },
  },
  {
    title: "a program whose target is gone is observed without target, and can get another",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const at = { kind: "program", netns: "host", link: "vx-1", verdict: "redirect-peer" } as const;
      const objects = [veth(workload), vxlan("host", "vx-1")];
      await kernel.apply(add(...objects, { ...at, target: "ch-1" }));
      const watch = kernel.watch();
      await harness.recreateNetns(workload);
      await eventOf(watch, (event) => event.type === "netns-removed");
      watch.close();
      assert.deepEqual(await stateOf(kernel, "host"), canonical([vxlan("host", "vx-1"), at]));
      const again = [
        ...add(veth(workload)),
        { verb: "change", object: { ...at, target: "ch-1" }, from: at } as const,
      ];
      const failed = await kernelError(
        kernel.apply(again, { failpoint: { operation: 1, when: "after", how: "error" } }),
      );
      assert.doesNotMatch(failed.message, /undone/);
      assert.deepEqual(await stateOf(kernel, "host"), canonical([vxlan("host", "vx-1"), at]));
      await kernel.apply(again);
      assert.deepEqual(
        await stateOf(kernel, "host", workload),
        canonical([...objects, { ...at, target: "ch-1" }]),
      );
    },
  },
  {
    title: "removing a namespace removes its devices and their far ends, and frees their names and VNIs",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      await kernel.apply(add(...scene(workload), vxlan(workload, "vx-1")));
      const watch = kernel.watch();
      await harness.removeNetns(workload);
      await eventOf(watch, (event) => event.type === "netns-removed");
      watch.close();
      const replacement = [vxlan("host", "vx-1"), lone("host", "ch-1")];
      await kernel.apply(add(...replacement));
      assert.deepEqual(await stateOf(kernel, "host"), canonical(replacement));
    },
  },
];
