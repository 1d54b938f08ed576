/** Counters, and programs that carry frames from one device to another. */
import assert from "node:assert/strict";
import { endSettings } from "../../src/forwarder/plan/plan-settings.ts";
import type { KernelObject, Netns, Veth } from "../../src/kernel/kernel.ts";
import { add, type ContractCase } from "./kernel-contract-harness.ts";
import { end, linked, scene, veth } from "./kernel-contract-specimens.ts";

export const packetCases: readonly ContractCase[] = [
  {
    title: "a program counts the frames that enter its link, and without one the link counts",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      await kernel.apply(
        add(...scene(workload), { kind: "program", netns: "host", link: "ch-1", verdict: "pass" }),
      );
      const queries = [
        { netns: workload, link: "nl-1" },
        { netns: "host", link: "ch-1" },
        { netns: "host", link: "none" },
      ] as const;
      const [, before] = await kernel.counters(queries);
      for (let i = 0; i < 3; i++) await harness.send(workload, "10.0.0.1");
      const [without, after, missing] = await kernel.counters(queries);
      assert.ok(without);
      assert.equal(missing, undefined);
      assert.ok(before && after && after.packets >= before.packets + 3, JSON.stringify(after));
      assert.ok(after.bytes >= before.bytes + 3 * 100, JSON.stringify(after));
    },
  },
  {
    title:
      "a device has the link-local address for its MAC, whether that is requested before it is up or later",
    async run(harness) {
      for (const isLater of [false, true]) {
        const workload = await harness.netns();
        const kernel = await harness.kernel();
        const pair: Veth = { kind: "veth", ends: [linked("host", "ch-1", 1), linked(workload, "nl-1", 2)] };
        const up = (netns: Netns, link: string): KernelObject => ({ kind: "up", netns, link });
        const settings = pair.ends.map((end) => endSettings(end));
        const first = isLater ? veth(workload) : pair;
        await kernel.apply(add(first, ...settings, up("host", "ch-1"), up(workload, "nl-1")));
        if (isLater) await kernel.apply([{ verb: "change", object: pair, from: veth(workload) }]);
        const heard = async (): Promise<number> =>
          (await kernel.counters([{ netns: "host", link: "ch-1" }]))[0]?.bytes ?? 0;
        // The kernel's own packets on a new link are fewer than 20 datagrams of 100 bytes.
        for (let sent = 0; (await heard()) < 20 * 100; sent++) {
          assert.ok(sent < 60, "no datagram comes in");
          await harness.send(workload, "fe80::ff:fe00:1%nl-1");
        }
      }
    },
  },
  {
    title: "frames cross from one workload to another by redirect and by redirect-peer",
    // For the program that counts arriving frames.
    needs: ["tcx links"],
    async run(harness) {
      for (const verdict of ["redirect", "redirect-peer"] as const) {
        const [left, right] = [await harness.netns(), await harness.netns()];
        const kernel = await harness.kernel();
        const [leftEnd, rightEnd] = [end(left, "nl-1", 1), end(right, "nl-1", 2)];
        const objects: KernelObject[] = [
          { kind: "veth", ends: [leftEnd, end("host", "ch-1", 3)] },
          { kind: "veth", ends: [rightEnd, end("host", "ch-2", 4)] },
          { kind: "program", netns: "host", link: "ch-1", verdict, target: "ch-2" },
          { kind: "program", netns: "host", link: "ch-2", verdict, target: "ch-1" },
          { kind: "program", netns: right, link: "nl-1", verdict: "pass" },
          { kind: "address", netns: left, link: "nl-1", address: "10.0.0.1/32", peer: "10.0.0.2/32" },
          { kind: "address", netns: right, link: "nl-1", address: "10.0.0.2/32", peer: "10.0.0.1/32" },
          ...[left, right].map((netns): KernelObject => ({ kind: "up", netns, link: "nl-1" })),
          ...["ch-1", "ch-2"].map((name): KernelObject => ({ kind: "up", netns: "host", link: name })),
          { kind: "neighbor", netns: left, link: "nl-1", address: "10.0.0.2", mac: rightEnd.mac },
        ];
        await kernel.apply(add(...objects));
        await harness.send(left, "10.0.0.2");
        const [counters] = await kernel.counters([{ netns: right, link: "nl-1" }]);
        assert.ok(counters && counters.packets >= 1, `${verdict}: ${JSON.stringify(counters)}`);
      }
    },
  },
  {
    title: "a program drops what its guard does not allow, reports the device, and passes it once allowed",
    async run(harness) {
      const workload = await harness.netns();
      const kernel = await harness.kernel();
      const program = { kind: "program", netns: "host", link: "ch-1", verdict: "pass" } as const;
      const before = { ...program, guard: { sources: ["10.7.0.0/16"] } };
      // A static neighbour, because the guard would drop the ARP request too.
      const { mac } = end("host", "ch-1", 1);
      const known = { kind: "neighbor", netns: workload, link: "nl-1", address: "10.0.0.1", mac } as const;
      await kernel.apply(add(...scene(workload), known, before));
      const dropped = async (): Promise<number> => {
        const { counts, offences } = await kernel.drops();
        const packets = counts.find(({ reason }) => reason === "source")?.packets ?? 0;
        assert.deepEqual(
          offences.filter(({ reason }) => reason === "source").map((each) => [each.link, each.packets]),
          packets === 0 ? [] : [["ch-1", packets]],
        );
        return packets;
      };
      assert.equal(await dropped(), 0);
      for (let i = 0; i < 3; i++) await harness.send(workload, "10.0.0.1");
      assert.equal(await dropped(), 3);
      const object = { ...program, guard: { sources: ["10.0.0.0/24"] } };
      await kernel.apply([{ verb: "change", object, from: before }]);
      await harness.send(workload, "10.0.0.1");
      assert.equal(await dropped(), 3);
    },
  },
];
