/**
 * Changes of Netloom's objects by others are reported, so that their owner knows where to look. Changes by batches are not.
 */
import assert from "node:assert/strict";
import type {
  Kernel,
  KernelEvent,
  KernelObject,
  LinkEvent,
  Netns,
  Operation,
} from "../../src/kernel/kernel.ts";
import type { Watch } from "../../src/async/watch.ts";
import {
  add,
  assertRefusal,
  canonical,
  type ContractCase,
  eventOf,
  kernelError,
  type KernelHarness,
  remove,
  stateOf,
} from "./kernel-contract-harness.ts";
import { end, scene, veth } from "./kernel-contract-specimens.ts";

/** Makes the scene during a watch. Others then tamper with the workload. */
async function watched(harness: KernelHarness): Promise<{
  kernel: Kernel;
  host: Netns;
  workload: Netns;
  watch: Watch<KernelEvent>;
}> {
  const [host, workload] = [await harness.netns(), await harness.netns()];
  const kernel = await harness.kernel({ host });
  await kernel.resolve(workload);
  const watch = kernel.watch();
  await kernel.apply(add(...scene(workload), ...extras(workload)));
  return { kernel, host, workload, watch };
}

function extras(netns: Netns): KernelObject[] {
  const link = "nl-1";
  return [
    { kind: "route", netns, link, destination: "10.7.0.0/24", via: "10.0.0.1" },
    { kind: "route", netns, link, destination: "fd07::/64", via: "fd00::1" },
    { kind: "neighbor", netns, link, address: "10.0.0.1", mac: "02:00:00:00:00:01" },
    { kind: "rule", netns, family: 4, priority: 4000, table: 5000, from: "10.0.0.2/32" },
  ];
}

/** Reads up to the event in which the device has the given state. */
async function linkAs(
  watch: Watch<KernelEvent>,
  link: string,
  fits: (event: LinkEvent) => boolean,
): Promise<LinkEvent> {
  const found = await eventOf(watch, (event) => event.type === "link" && event.link === link && fits(event));
  return found as LinkEvent;
}

/** The events up to a marker: a new MTU of the other end of the pair, set by its owner. */
async function toldUntil(
  { watch, host }: { readonly watch: Watch<KernelEvent>; readonly host: Netns },
  harness: KernelHarness,
  mtuBytes: number,
): Promise<KernelEvent[]> {
  await harness.tend(host, "ch-1", { mtuBytes });
  const told: KernelEvent[] = [];
  for (;;) {
    const event = await watch.take();
    assert.ok(event, "the watch was closed");
    if (event.type === "link" && event.link === "ch-1" && event.facts?.mtuBytes === mtuBytes) return told;
    told.push(event);
  }
}

const isLoss = ({ type }: KernelEvent): boolean => type === "route" || type === "neighbor";

export const tamperCases: readonly ContractCase[] = [
  {
    title: "a watch reports the state of a device after every change of MTU, MAC, state or name",
    async run(harness) {
      const { watch, workload } = await watched(harness);
      await linkAs(watch, "nl-1", ({ facts }) => facts?.isUp === true && facts.isOurs);
      await harness.tend(workload, "nl-1", { mtuBytes: 1400 });
      const changed = await linkAs(watch, "nl-1", ({ facts }) => facts?.mtuBytes === 1400);
      const { mac, alias } = end(workload, "nl-1", 2);
      assert.deepEqual(changed, {
        type: "link",
        netns: workload,
        link: "nl-1",
        change: "changed",
        facts: { mac, mtuBytes: 1400, isUp: true, isOurs: true, alias },
      });
      await harness.tend(workload, "nl-1", { mac: "02:00:00:00:00:77" });
      await linkAs(watch, "nl-1", ({ facts }) => facts?.mac === "02:00:00:00:00:77");
      await harness.tend(workload, "nl-1", { isUp: false });
      await linkAs(watch, "nl-1", ({ facts }) => facts?.isUp === false);
      await harness.tend(workload, "nl-1", { name: "stolen" });
      const renamed = await linkAs(watch, "stolen", ({ change }) => change === "changed");
      assert.deepEqual([renamed.formerly, renamed.facts?.alias], ["nl-1", alias]);
      await harness.unplug(workload, "stolen");
      await linkAs(watch, "stolen", ({ change }) => change === "removed");
      watch.close();
    },
  },
  {
    title: "a device set down and up again at once by others is reported as down in between",
    async run(harness) {
      const { watch, workload, kernel } = await watched(harness);
      await linkAs(watch, "nl-1", ({ facts }) => facts?.isUp === true);
      await harness.tend(workload, "nl-1", { isUp: false });
      await harness.tend(workload, "nl-1", { isUp: true });
      // A query and not a batch, which would read the notifications itself.
      await kernel.observe([{ netns: workload }]);
      await linkAs(watch, "nl-1", ({ facts, wentDown }) => wentDown === true || facts?.isUp === false);
      watch.close();
    },
  },
  {
    title: "a watch reports addresses removed by others, and their device",
    async run(harness) {
      const { watch, workload } = await watched(harness);
      await harness.flush(workload, "nl-1", "addresses");
      for (const address of ["10.0.0.2/24", "fd00::2/64"]) {
        const isIt = (event: KernelEvent): boolean => event.type === "address" && event.address === address;
        const gone = await eventOf(
          watch,
          (event) => isIt(event) && "change" in event && event.change === "removed",
        );
        assert.deepEqual(gone, {
          type: "address",
          netns: workload,
          link: "nl-1",
          address,
          change: "removed",
        });
      }
      watch.close();
    },
  },
  {
    title: "a watch reports routes, rules and neighbours of Netloom removed by others",
    async run(harness) {
      const { watch, workload } = await watched(harness);
      await harness.flush(workload, "nl-1", "routes");
      const lost = await eventOf(
        watch,
        ({ type, ...rest }) => type === "route" && "netns" in rest && rest.netns === workload,
      );
      assert.deepEqual(lost, { type: "route", netns: workload, link: "nl-1" });
      await harness.flush(workload, "nl-1", "neighbors");
      const forgotten = await eventOf(watch, ({ type }) => type === "neighbor");
      assert.deepEqual(forgotten, { type: "neighbor", netns: workload, link: "nl-1" });
      await harness.dropRule(workload, 4000);
      await eventOf(
        watch,
        (event) => event.type === "route" && event.netns === workload && event.link === undefined,
      );
      watch.close();
    },
  },
  {
    title: "a watch reports a program removed from a device of Netloom",
    async run(harness) {
      const { watch, host, workload, kernel } = await watched(harness);
      const program = { kind: "program", netns: "host", link: "ch-1", verdict: "pass" } as const;
      await kernel.apply(add(program));
      await harness.dropProgram(host, "ch-1");
      const lost = await eventOf(watch, ({ type }) => type === "program");
      assert.deepEqual(lost, { type: "program", netns: "host", link: "ch-1" });
      await kernel.apply(add(program));
      await kernel.apply(remove(program));
      const told = await toldUntil({ watch, host }, harness, 1499);
      assert.deepEqual(
        told.filter(({ type }) => type === "program"),
        [],
      );
      await kernel.resolve(workload);
      watch.close();
    },
  },
  {
    title:
      "an address without its route, and a device without its link-local address, are observed so and repaired in place",
    async run(harness) {
      const { watch, workload, kernel } = await watched(harness);
      const link = {
        ...veth(workload),
        ends: [end("host", "ch-1", 1), { ...end(workload, "nl-1", 2), linkLocal: true }],
      } as const;
      await kernel.apply([{ verb: "change", object: link, from: veth(workload) }]);
      const before = await stateOf(kernel, workload);
      await harness.flush(workload, "nl-1", "routes");
      const [found] = [await kernel.observe([{ netns: workload }])];
      const amiss = found.filter((each) => "lacksRoute" in each || "lacksLinkLocal" in each);
      assert.deepEqual(
        canonical(amiss),
        canonical([
          { kind: "up", netns: workload, link: "nl-1", lacksLinkLocal: true },
          { kind: "address", netns: workload, link: "nl-1", address: "10.0.0.2/24", lacksRoute: true },
          { kind: "address", netns: workload, link: "nl-1", address: "fd00::2/64", lacksRoute: true },
        ]),
      );
      const mending = amiss.map((from): Operation => {
        const {
          lacksRoute: _a,
          lacksLinkLocal: _b,
          ...object
        } = { lacksRoute: undefined, lacksLinkLocal: undefined, ...from };
        return { verb: "change", object: object as KernelObject, from };
      });
      await kernel.apply([...mending, ...add(...extras(workload).slice(0, 2))]);
      assert.deepEqual(await stateOf(kernel, workload), before);
      watch.close();
    },
  },
  {
    title: "a renamed device gets its name back in place, with everything on it",
    needs: ["new names of devices that are up"],
    async run(harness) {
      const { watch, workload, kernel } = await watched(harness);
      await kernel.apply(remove(...extras(workload)));
      const before = await stateOf(kernel, "host", workload);
      await harness.tend(workload, "nl-1", { name: "stolen" });
      const [near, far] = veth(workload).ends;
      const from: KernelObject = { kind: "veth", ends: [near, { ...far, name: "stolen" }] };
      const operation: Operation = { verb: "change", object: veth(workload), from };
      await kernel.apply([operation]);
      await kernel.apply(add({ kind: "address", netns: workload, link: "nl-1", address: "fd00::2/64" }));
      assert.deepEqual(await stateOf(kernel, "host", workload), before);
      const error = await kernelError(kernel.apply([operation]));
      assertRefusal(error, operation, "ENODEV", 0);
      watch.close();
    },
  },
  {
    title: "removals by a batch of this kernel are not reported as losses",
    async run(harness) {
      const scenery = await watched(harness);
      const { watch, workload, kernel } = scenery;
      await kernel.apply(remove(...extras(workload)));
      assert.deepEqual((await toldUntil(scenery, harness, 1499)).filter(isLoss).filter(isOf(workload)), []);
      await kernel.apply(add(...extras(workload)));
      await kernel.apply(remove(veth(workload)));
      await kernel.settle();
      await kernel.apply(add(veth(workload)));
      assert.deepEqual((await toldUntil(scenery, harness, 1498)).filter(isLoss).filter(isOf(workload)), []);
      watch.close();
    },
  },
  {
    title: "a watch reports changed routes of the host, and again after the routes have been stable",
    async run(harness) {
      const { watch, kernel } = await watched(harness);
      const isHosts = (event: KernelEvent): boolean => event.type === "route" && event.netns === "host";
      const routes = Array.from({ length: 300 }, (_, n): KernelObject => {
        const destination = `10.${20 + (n >> 8)}.${n & 255}.0/24`;
        return { kind: "route", netns: "host", link: "ch-1", destination };
      });
      await kernel.apply(add(...routes));
      await eventOf(watch, isHosts);
      await kernel.apply(remove(...routes));
      await eventOf(watch, isHosts);
      watch.close();
    },
  },
];

function isOf(workload: Netns): (event: KernelEvent) => boolean {
  return (event) => "netns" in event && event.netns === workload;
}
