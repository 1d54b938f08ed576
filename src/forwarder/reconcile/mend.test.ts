import assert from "node:assert/strict";
import { test } from "node:test";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Kernel, KernelObject, Netns } from "../../kernel/kernel.ts";
import { planWire } from "../plan/plan-wire.ts";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import type { Wire } from "../wire.ts";
import { VirtualClock } from "../../../e2e/virtual-clock.ts";
import { Reconciler } from "./reconcile.ts";
import { survey } from "./survey.ts";

const HOST: Netns = "file:///run/netns/host";

interface Scene {
  readonly machine: SimMachine;
  readonly kernel: Kernel;
  readonly reconciler: Reconciler;
  readonly web: Netns;
  readonly wire: Wire;
  /** The wire's device in the host. */
  readonly tunnel: string;
  /** All Netloom objects in the kernel. */
  readonly state: () => Promise<string[]>;
  /** Owners that a survey of every namespace finds wrong. */
  readonly amiss: () => Promise<string[]>;
}

/** A remote wire of the workload `web`, with all that a context can ask for. */
async function scene(): Promise<Scene> {
  const machine = new SimMachine({ clock: new VirtualClock() });
  machine.createNetns("/run/netns/host");
  const web = machine.createNetns("/run/netns/web");
  machine.plantUplink({ netns: HOST, name: "eth0", addresses: ["10.8.0.1/24"] });
  const kernel = machine.kernel({ host: HOST });
  const reconciler = new Reconciler(kernel);
  const wire: Wire = {
    connectionId: "c1",
    client: { type: "KERNEL", netns: web, interfaceName: "nsm-1" },
    endpoint: {
      type: "VXLAN",
      sourceIp: "10.8.0.1",
      destinationIp: "10.8.0.2",
      vni: 7,
      underlayMtuBytes: 1500,
    },
    context: {
      srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
      dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
      srcRoutes: [{ prefix: "10.7.0.0/16" }],
      policies: [{ from: "10.0.0.1/32", routes: [{ prefix: "0.0.0.0/0" }] }],
    },
  };
  await reconciler.apply(planWire(wire));
  const state = async (): Promise<string[]> => {
    const found = await kernel.observe([{ netns: "host" }, { netns: web }]);
    return found.map((object) => JSON.stringify(object)).sort();
  };
  const amiss = async (): Promise<string[]> => {
    const all: string[] = [];
    for (const netns of reconciler.planned.namespaces())
      all.push(...(await survey(kernel, reconciler.planned, netns, () => Promise.resolve())));
    return [...new Set(all)];
  };
  const tunnel = tunnelIn(await kernel.observe([{ netns: "host" }]));
  return { machine, kernel, reconciler, web, wire, tunnel, state, amiss };
}

const tampering: readonly (readonly [title: string, tamper: (scene: Scene) => void])[] = [
  ["a device set down", ({ machine, web }) => machine.changeDevice(web, "nsm-1", { isUp: false })],
  ["another MAC", ({ machine, web }) => machine.changeDevice(web, "nsm-1", { mac: "02:00:00:00:00:77" })],
  ["another MTU", ({ machine, web }) => machine.changeDevice(web, "nsm-1", { mtuBytes: 1300 })],
  ["no addresses", ({ machine, web }) => machine.flush(web, "nsm-1", "addresses")],
  ["no routes", ({ machine, web }) => machine.flush(web, "nsm-1", "routes")],
  ["no neighbours", ({ machine, web }) => machine.flush(web, "nsm-1", "neighbors")],
  ["a renamed device", ({ machine, web }) => machine.changeDevice(web, "nsm-1", { name: "stolen" })],
  ["a removed device", ({ machine, web }) => machine.removeDevice(web, "nsm-1")],
  ["a tunnel set down", ({ machine, tunnel }) => machine.changeDevice(HOST, tunnel, { isUp: false })],
  ["a renamed tunnel", ({ machine, tunnel }) => machine.changeDevice(HOST, tunnel, { name: "mine" })],
  ["a removed tunnel", ({ machine, tunnel }) => machine.removeDevice(HOST, tunnel)],
  ["no program", ({ machine, tunnel }) => machine.dropProgram(HOST, tunnel)],
];

for (const [title, tamper] of tampering)
  test(`${title}: a survey of the namespaces finds it, and mend repairs it`, async () => {
    const given = await scene();
    const { reconciler } = given;
    const before = await given.state();
    assert.deepEqual(await given.amiss(), []);
    tamper(given);
    assert.deepEqual(await given.amiss(), ["c1"]);
    assert.notDeepEqual(await reconciler.mend("c1"), []);
    assert.deepEqual(await given.state(), before);
    assert.deepEqual(await given.amiss(), []);
    assert.deepEqual(await reconciler.mend("c1"), []);
  });

function tunnelIn(objects: readonly KernelObject[]): string {
  const found = objects.find((each) => each.kind === "external-vxlan");
  assert.ok(found?.kind === "external-vxlan");
  return found.name;
}

test("a renamed device gets its name back in place, with what others have on it", async () => {
  const { machine, web, reconciler, kernel } = await scene();
  machine.changeDevice(web, "nsm-1", { address: "192.0.2.1/32" });
  const [before] = await kernel.devices([{ netns: web, link: "nsm-1" }]);
  machine.changeDevice(web, "nsm-1", { name: "stolen" });
  const done = (await reconciler.mend("c1")).map(describeOperation);
  assert.equal(done[0]?.startsWith("change veth nsm-1"), true, done.join("\n"));
  assert.deepEqual(await kernel.devices([{ netns: web, link: "nsm-1" }]), [before]);
});

test("mend does nothing for an owner that is unknown, removed, or no longer due", async () => {
  const { machine, web, reconciler } = await scene();
  machine.changeDevice(web, "nsm-1", { mtuBytes: 1300 });
  assert.deepEqual(await reconciler.mend("c1", () => false), []);
  assert.deepEqual(await reconciler.mend("another"), []);
  await reconciler.remove("c1");
  assert.deepEqual(await reconciler.mend("c1"), []);
});

test("an owner that cannot be repaired is repaired later", async () => {
  const { machine, web, reconciler, state } = await scene();
  const before = await state();
  machine.changeDevice(web, "nsm-1", { name: "stolen" });
  machine.plantUplink({ netns: web, name: "nsm-1", addresses: [] });
  await assert.rejects(reconciler.mend("c1"), /put wire c1 right: .*nsm-1/);
  machine.changeDevice(web, "nsm-1", { name: "theirs" });
  await reconciler.mend("c1");
  assert.deepEqual(await state(), before);
});

test("the device that all tunnels share is repaired by one of its wires", async () => {
  const { kernel, reconciler, wire, amiss } = await scene();
  const [tunnel, workload] = [wire.endpoint, wire.client];
  assert.ok(tunnel.type === "VXLAN" && workload.type === "KERNEL");
  await reconciler.apply(
    planWire({
      ...wire,
      connectionId: "c2",
      client: { ...workload, interfaceName: "nsm-2" },
      endpoint: { ...tunnel, vni: 8 },
      context: { srcIpAddrs: ["10.0.1.1/32"], dstIpAddrs: ["10.0.1.2/32"] },
    }),
  );
  assert.deepEqual(await amiss(), []);
  const [shared] = (await kernel.observe([{ netns: "host" }])).filter(
    ({ kind }) => kind === "external-vxlan",
  );
  assert.ok(shared);
  await kernel.apply([{ verb: "remove", object: shared }]);
  const [owner, ...others] = await amiss();
  assert.deepEqual(others, []);
  await reconciler.mend(owner ?? "");
  assert.deepEqual(await amiss(), []);
});
