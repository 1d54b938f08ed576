/**
 * Routes to another host, and addresses of this one: a host with two foreign cables.
 *
 *   [far]===eth1===[host]===eth2===[far]
 */
import assert from "node:assert/strict";
import type { Kernel, Netns, ReachableWay, Way, WayQuery } from "../../src/kernel/kernel.ts";
import { add, type ContractCase, type KernelHarness } from "./kernel-contract-harness.ts";

interface Ways {
  readonly kernel: Kernel;
  readonly host: Netns;
  readonly way: (to: string, by?: Pick<WayQuery, "from" | "udpPort">) => Promise<Way>;
}

async function ways(harness: KernelHarness): Promise<Ways> {
  const [host, far] = [await harness.netns(), await harness.netns()];
  const kernel = await harness.kernel({ host });
  for (const [link, net] of [
    ["eth1", 1],
    ["eth2", 2],
  ] as const) {
    await harness.plug(host, link, far);
    for (const address of [`10.${net}.0.1/24`, `fd00:${net}::1/64`])
      await harness.tend(host, link, { address });
  }
  return {
    kernel,
    host,
    async way(to, by = {}) {
      const [way] = await kernel.ways([{ netns: "host", to, ...by }]);
      return way ?? assert.fail("there is no namespace");
    },
  };
}

const via1 = { link: "eth1", via: "10.1.0.9" } as const;
const via2 = { link: "eth2", via: "10.2.0.9" } as const;

function reachable(way: Way): ReachableWay {
  return "unreachable" in way ? assert.fail(`unreachable: ${way.unreachable}`) : way;
}

/** Formats the next hops, in an order that does not depend on the kernel's. */
function hopsOf(way: Way): string[] {
  return reachable(way)
    .hops.map(({ link, via, mtuBytes, boundBy }) => [link, via ?? "-", mtuBytes, boundBy].join(" "))
    .toSorted();
}

export const wayCases: readonly ContractCase[] = [
  {
    title: "the way to another host has the MTU of its device, or that of its route if smaller",
    async run(harness) {
      const { kernel, host, way } = await ways(harness);
      assert.deepEqual(hopsOf(await way("10.1.0.7")), ["eth1 - 1500 device"]);
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [via1] });
      assert.deepEqual(await way("10.9.0.1"), {
        mtuBytes: 1500,
        hops: [{ ...via1, mtuBytes: 1500, boundBy: "device" }],
      });
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [via1], mtuBytes: 1400 });
      assert.deepEqual(await way("10.9.0.1"), {
        mtuBytes: 1400,
        hops: [{ ...via1, mtuBytes: 1400, boundBy: "route" }],
      });
      await harness.tend(host, "eth1", { mtuBytes: 1300 });
      assert.deepEqual(hopsOf(await way("10.9.0.1")), ["eth1 10.1.0.9 1300 device"]);
      const [first, second, third] = await kernel.ways([
        { netns: "host", to: "10.9.0.1" },
        { netns: "file:///run/netns/none", to: "10.9.0.1" },
        { netns: "host", to: "10.2.0.9" },
      ]);
      assert.equal(first && reachable(first).mtuBytes, 1300);
      assert.equal(second, undefined);
      assert.equal(third && reachable(third).mtuBytes, 1500);
    },
  },
  {
    title: "the way by a multipath route has the smallest MTU of all next hops",
    async run(harness) {
      const { host, way } = await ways(harness);
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [via1, via2] });
      await harness.tend(host, "eth2", { mtuBytes: 1420 });
      for (const to of ["10.9.0.1", "10.9.0.2", "10.9.0.3"]) {
        const found = await way(to, { udpPort: 4789 });
        assert.equal(reachable(found).mtuBytes, 1420);
        assert.deepEqual(hopsOf(found), ["eth1 10.1.0.9 1500 device", "eth2 10.2.0.9 1420 device"]);
      }
    },
  },
  {
    title: "IPv6 ways work like IPv4 ways",
    async run(harness) {
      const { host, way } = await ways(harness);
      const hops = [
        { link: "eth1", via: "fd00:1::9" },
        { link: "eth2", via: "fd00:2::9" },
      ];
      await harness.lead(host, { destination: "fd00:9::/64", hops });
      await harness.tend(host, "eth2", { mtuBytes: 1420 });
      assert.deepEqual(hopsOf(await way("fd00:9::1", { from: "fd00:1::1" })), [
        "eth1 fd00:1::9 1500 device",
        "eth2 fd00:2::9 1420 device",
      ]);
      await harness.lead(host, { destination: "fd00:9::/64", hops: hops.slice(0, 1), mtuBytes: 1380 });
      assert.deepEqual(hopsOf(await way("fd00:9::1")), ["eth1 fd00:1::9 1380 route"]);
    },
  },
  {
    title: "a rule selects the way by the source of the packet",
    async run(harness) {
      const { kernel, host, way } = await ways(harness);
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [via1] });
      await harness.tend(host, "eth2", { mtuBytes: 1420 });
      const route = { kind: "route", netns: "host", destination: "10.9.0.0/16", ...via2, table: 77 } as const;
      const rule = { kind: "rule", netns: "host", family: 4, priority: 90, table: 77 } as const;
      await kernel.apply(add(route, { ...rule, from: "10.2.0.1/32" }));
      assert.deepEqual(hopsOf(await way("10.9.0.1", { from: "10.2.0.1" })), ["eth2 10.2.0.9 1420 device"]);
      assert.deepEqual(hopsOf(await way("10.9.0.1", { from: "10.1.0.1" })), ["eth1 10.1.0.9 1500 device"]);
    },
  },
  {
    title: "without a route, or from a foreign source address, there is no way",
    async run(harness) {
      const { host, way } = await ways(harness);
      assert.deepEqual(await way("10.9.0.1"), { unreachable: "ENETUNREACH" });
      assert.deepEqual(await way("fd00:9::1"), { unreachable: "ENETUNREACH" });
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [via1] });
      // The errno depends on the version of Linux.
      assert.ok("unreachable" in (await way("10.9.0.1", { from: "10.7.0.1" })));
      await harness.lead(host, { destination: "10.9.0.0/16", hops: [] });
      assert.deepEqual(await way("10.9.0.1"), { unreachable: "ENETUNREACH" });
    },
  },
  {
    title: "addresses returns the device of an address, and whether it has a carrier",
    async run(harness) {
      const { kernel, host } = await ways(harness);
      const far = await harness.netns();
      const look = async (address: string) => (await kernel.addresses([{ netns: "host", address }]))[0];
      const up = { state: "usable", isUp: true, hasCarrier: true } as const;
      assert.deepEqual(await look("10.2.0.1"), { link: "eth2", ...up });
      assert.equal(await look("10.2.0.2"), undefined);
      assert.equal(await look("fd00:2::2"), undefined);
      await harness.plug(host, "eth3", far);
      await harness.tend(host, "eth3", { address: "10.3.0.1/24" });
      await harness.tend(far, "eth3", { isUp: false });
      assert.deepEqual(await look("10.3.0.1"), { link: "eth3", ...up, hasCarrier: false });
      await harness.tend(host, "eth3", { isUp: false });
      assert.deepEqual(await look("10.3.0.1"), { link: "eth3", ...up, isUp: false, hasCarrier: false });
    },
  },
];
