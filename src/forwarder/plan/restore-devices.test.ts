/**
 * Wires of this version, on two simulated hosts with one in between, become wires of release 0.1.0 and then this version's again.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { VirtualClock } from "../../../e2e/virtual-clock.ts";
import { replace } from "../../agent/between-releases.ts";
import type { Kernel, KernelObject, Netns, Operation } from "../../kernel/kernel.ts";
import { ofKind } from "../../kernel/objects.ts";
import { objectsOf } from "../../kernel/plan.ts";
import { readAlias } from "../../mechanisms/naming.ts";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { diff } from "../reconcile/diff.ts";
import type { Wire } from "../wire.ts";
import { replaceDevices } from "./former-devices.ts";
import { plan } from "./plan.ts";
import { restoreDevices } from "./restore-devices.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] } as const;

function mechanism(vni: number, sourceIp: string, destinationIp: string): Wire["client"] {
  return { type: "VXLAN", sourceIp, destinationIp, vni, underlayMtuBytes: 1500 };
}

interface Host {
  readonly kernel: Kernel;
  readonly wire: Wire;
  readonly workload?: Netns;
}

async function applied({ kernel, wire }: Host): Promise<void> {
  await kernel.apply(objectsOf(plan(wire)).map((object): Operation => ({ verb: "add", object })));
}

async function restored(kernel: Kernel, check: (where: string) => void): Promise<readonly KernelObject[]> {
  const restoration = restoreDevices(await kernel.observe([{ netns: "host" }]));
  assert.ok(restoration);
  await kernel.apply(restoration.lead);
  check("led");
  await kernel.apply(restoration.remove);
  check("without the shared device");
  await kernel.settle();
  await kernel.apply(restoration.complete);
  check("complete");
  await kernel.apply(restoration.turn ?? []);
  check("turned");
  await kernel.settle();
  return await kernel.observe([{ netns: "host" }]);
}

test("a wire over a host in between is converted back and forth, host by host, without losing a packet", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const host = (name: string, ...addresses: readonly (readonly [string, string])[]): Kernel => {
    const netns = machine.createNetns(`/run/netns/${name}`);
    for (const [fabric, address] of addresses)
      machine.plantUplink({ netns, name: `eth-${fabric}`, addresses: [`${address}/24`], fabric });
    return machine.kernel({ host: netns });
  };
  const [web, db] = [machine.createNetns("/run/netns/web"), machine.createNetns("/run/netns/db")];
  const [first, second] = [mechanism(7, "10.8.1.1", "10.8.1.2"), mechanism(8, "10.8.2.1", "10.8.2.2")];
  const client: Wire["client"] = { type: "KERNEL", netns: web, interfaceName: "nsm-1" };
  const endpoint: Wire["client"] = { type: "KERNEL", netns: db, interfaceName: "nse-1" };
  const common = { connectionId: "c1", context: CONTEXT };
  const hosts: readonly Host[] = [
    { kernel: host("alpha", ["a", "10.8.1.1"]), wire: { ...common, client, endpoint: first }, workload: web },
    {
      kernel: host("gamma", ["a", "10.8.1.2"], ["b", "10.8.2.1"]),
      wire: { ...common, client: first, endpoint: second },
    },
    { kernel: host("beta", ["b", "10.8.2.2"]), wire: { ...common, client: second, endpoint }, workload: db },
  ];
  const reach = (where: string): void => {
    assert.equal(machine.reaches(web, "10.0.0.2")?.netns, db, where);
    assert.equal(machine.reaches(db, "10.0.0.1")?.netns, web, where);
  };
  for (const each of hosts) await applied(each);
  reach("as it was");
  for (const [i, { kernel, workload }] of hosts.entries()) {
    const there = await restored(kernel, (where) => reach(`host ${i}, ${where}`));
    const devices = ofKind(there, "vxlan");
    assert.equal(devices.length, workload ? 1 : 2);
    for (const { alias } of devices) assert.equal(readAlias(alias)?.what, "vxlan");
    assert.equal(ofKind(there, "external-vxlan").length, 0);
    assert.equal(ofKind(there, "veth").length, workload ? 1 : 0, "the pair between tunnels is gone");
    for (const { verdict, tunnel } of ofKind(there, "program")) {
      assert.ok(!tunnel && verdict.startsWith("redirect"));
    }
    assert.equal(restoreDevices(there), undefined, "again is nothing to do");
  }
  for (const [i, { kernel, wire, workload }] of hosts.entries()) {
    const replacement = replaceDevices(await kernel.observe([{ netns: "host" }]));
    assert.ok(replacement);
    await replace(kernel, replacement);
    reach(`host ${i} again`);
    const there = await kernel.observe([{ netns: "host" }, ...(workload ? [{ netns: workload }] : [])]);
    assert.deepEqual(diff(objectsOf(plan({ ...wire, guard: "never" })), there), []);
  }
});

test("a wire from a port leads from the port into its device, and its pair is removed", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const alpha = machine.createNetns("/run/netns/alpha");
  machine.plantUplink({ netns: alpha, name: "eth0", addresses: ["10.8.1.1/24"] });
  const far = machine.createNetns("/run/netns/machine");
  machine.plantCable([
    { netns: alpha, name: "tap0" },
    { netns: far, name: "eth0" },
  ]);
  const kernel = machine.kernel({ host: alpha });
  const [tap] = await kernel.devices([{ netns: "host", link: "tap0" }]);
  const wire: Wire = {
    connectionId: "c1",
    client: { type: "PORT", netns: "host", device: "tap0", index: tap?.index ?? 0, mtuBytes: 1500 },
    endpoint: mechanism(7, "10.8.1.1", "10.8.1.2"),
    context: CONTEXT,
  };
  await applied({ kernel, wire });
  const there = await restored(kernel, () => undefined);
  assert.equal(ofKind(there, "veth").length, 0);
  const [device] = ofKind(there, "vxlan");
  assert.deepEqual(
    new Set(ofKind(there, "program").map(({ link, target }) => `${link} to ${target}`)),
    new Set([`${device?.name} to tap0`, `tap0 to ${device?.name}`]),
  );
});
