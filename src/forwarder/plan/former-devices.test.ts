/** Wires that release 0.1.0 made, on two simulated hosts with one in between, become wires of this version. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Kernel, KernelObject, LinkEnd, Netns, Operation } from "../../kernel/kernel.ts";
import { endsOf, isDevice } from "../../kernel/objects.ts";
import { objectsOf } from "../../kernel/plan.ts";
import { hostEnd } from "../../mechanisms/kernel/host-end.ts";
import { halfAlias, workloadAlias } from "../../mechanisms/naming.ts";
import type { Side } from "../../mechanisms/side.ts";
import { SimMachine } from "../../sim/kernel/kernel.ts";
import { VirtualClock } from "../../../e2e/virtual-clock.ts";
import { diff } from "../reconcile/diff.ts";
import type { Wire } from "../wire.ts";
import { replaceDevices } from "./former-devices.ts";
import { plan } from "./plan.ts";
import { workloadMac } from "./workload-mac.ts";

const CONTEXT = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] } as const;
const MTU = 1446;

interface Tunnel {
  readonly vni: number;
  readonly local: string;
  readonly remote: string;
}

function device(side: Side, { vni, local, remote }: Tunnel): KernelObject & LinkEnd {
  const alias = halfAlias("vxlan", "c1", side);
  const mac = "02:00:00:00:00:09";
  const tunnel = { vni, local, remote, port: 4789 };
  return { kind: "vxlan", netns: "host", name: `nlx${vni}`, mac, mtuBytes: MTU, alias, ...tunnel };
}

function led(link: string, verdict: "redirect" | "redirect-peer", target: string): KernelObject {
  return { kind: "program", netns: "host", link, verdict, target };
}

/** One end of the wire: the pair of its workload, and a tunnel beyond it. */
function formerEnd(
  wire: Wire,
  side: Side,
  { netns, tunnel }: { netns: Netns; tunnel: Tunnel },
): KernelObject[] {
  const macs = { client: workloadMac(wire, "client"), endpoint: workloadMac(wire, "endpoint") };
  const end = hostEnd({ connectionId: "c1", side, mtuBytes: MTU, macs });
  const name = side === "client" ? "nsm-1" : "nse-1";
  const alias = workloadAlias("c1", side);
  const link: LinkEnd = { netns, name, mac: macs[side], mtuBytes: MTU, alias, linkLocal: true };
  const nlx = device(side === "client" ? "endpoint" : "client", tunnel);
  const [own, other] = side === "client" ? ["10.0.0.1/32", "10.0.0.2/32"] : ["10.0.0.2/32", "10.0.0.1/32"];
  return [
    { kind: "veth", ends: [link, end] },
    nlx,
    led(end.name, "redirect", nlx.name),
    led(nlx.name, "redirect-peer", end.name),
    { kind: "address", netns, link: name, address: own, peer: other },
    ...[end, nlx, link].map((each): KernelObject => ({ kind: "up", netns: each.netns, link: each.name })),
  ];
}

function mechanism(vni: number, sourceIp: string, destinationIp: string): Wire["client"] {
  return { type: "VXLAN", sourceIp, destinationIp, vni, underlayMtuBytes: 1500 };
}

test("a wire over a host in between keeps working while its devices are replaced, and ends as this version makes it", async () => {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const host = (name: string, ...addresses: readonly (readonly [string, string])[]): Kernel => {
    const netns = machine.createNetns(`/run/netns/${name}`);
    for (const [fabric, address] of addresses)
      machine.plantUplink({ netns, name: `eth-${fabric}`, addresses: [`${address}/24`], fabric });
    return machine.kernel({ host: netns });
  };
  const [alpha, gamma, beta] = [
    host("alpha", ["a", "10.8.1.1"]),
    host("gamma", ["a", "10.8.1.2"], ["b", "10.8.2.1"]),
    host("beta", ["b", "10.8.2.2"]),
  ];
  const [web, db] = [machine.createNetns("/run/netns/web"), machine.createNetns("/run/netns/db")];
  const [first, second] = [mechanism(7, "10.8.1.1", "10.8.1.2"), mechanism(8, "10.8.2.1", "10.8.2.2")];
  const client: Wire["client"] = { type: "KERNEL", netns: web, interfaceName: "nsm-1" };
  const endpoint: Wire["client"] = { type: "KERNEL", netns: db, interfaceName: "nse-1" };
  const common = { connectionId: "c1", context: CONTEXT };
  const wires = {
    near: { ...common, client, endpoint: first },
    between: { ...common, client: first, endpoint: second },
    far: { ...common, client: second, endpoint },
  };
  const [one, two] = [
    device("client", { vni: 7, local: "10.8.1.2", remote: "10.8.1.1" }),
    device("endpoint", { vni: 8, local: "10.8.2.1", remote: "10.8.2.2" }),
  ];
  const former = [
    [
      alpha,
      formerEnd(wires.near, "client", {
        netns: web,
        tunnel: { vni: 7, local: "10.8.1.1", remote: "10.8.1.2" },
      }),
      web,
    ],
    [
      gamma,
      [
        one,
        two,
        led("nlx7", "redirect", "nlx8"),
        led("nlx8", "redirect", "nlx7"),
        ...["nlx7", "nlx8"].map((link): KernelObject => ({ kind: "up", netns: "host", link })),
      ],
      undefined,
    ],
    [
      beta,
      formerEnd(wires.far, "endpoint", {
        netns: db,
        tunnel: { vni: 8, local: "10.8.2.2", remote: "10.8.2.1" },
      }),
      db,
    ],
  ] as const;
  const reach = (where: string): void => {
    assert.equal(machine.reaches(web, "10.0.0.2")?.netns, db, where);
    assert.equal(machine.reaches(db, "10.0.0.1")?.netns, web, where);
  };
  for (const [kernel, objects] of former)
    await kernel.apply(objects.map((object): Operation => ({ verb: "add", object })));
  reach("as it was");
  for (const [i, [kernel, , workload]] of former.entries()) {
    const replacement = replaceDevices(await kernel.observe([{ netns: "host" }]));
    assert.ok(replacement);
    await kernel.apply(replacement.lead);
    reach(`led, host ${i}`);
    await kernel.apply(replacement.remove);
    reach(`removed, host ${i}`);
    await kernel.settle();
    await kernel.apply(replacement.complete);
    reach(`complete, host ${i}`);
    assert.equal(replaceDevices(await kernel.observe([{ netns: "host" }])), undefined);
    const wire = Object.values(wires)[i] ?? assert.fail();
    const there = await kernel.observe([{ netns: "host" }, ...(workload ? [{ netns: workload }] : [])]);
    const steps = diff(objectsOf(plan({ ...wire, guard: "never" })), there);
    // Guards are known only when the client asks again. Neighbours are left out of this test.
    assert.deepEqual(
      steps.filter(({ object }) => object.kind !== "neighbor"),
      [],
      `host ${i}`,
    );
  }
});

/** Alpha with the objects of 0.1.0, brought to this version. */
async function replaced(
  plant: (machine: SimMachine, alpha: Netns) => void,
  made: (kernel: Kernel) => Promise<readonly KernelObject[]>,
): Promise<{ readonly machine: SimMachine; readonly there: readonly KernelObject[] }> {
  const machine = new SimMachine({ clock: new VirtualClock() });
  const alpha = machine.createNetns("/run/netns/alpha");
  machine.plantUplink({ netns: alpha, name: "eth0", addresses: ["10.8.1.1/24"] });
  plant(machine, alpha);
  const kernel = machine.kernel({ host: alpha });
  await kernel.apply((await made(kernel)).map((object): Operation => ({ verb: "add", object })));
  const replacement = replaceDevices(await kernel.observe([{ netns: "host" }]));
  assert.ok(replacement);
  await kernel.apply(replacement.lead);
  await kernel.apply(replacement.remove);
  await kernel.settle();
  await kernel.apply(replacement.complete);
  return { machine, there: await kernel.observe([{ netns: "host" }]) };
}

const TUNNEL: Tunnel = { vni: 7, local: "10.8.1.1", remote: "10.8.1.2" };

test("a wire from a port gets the pair that carries its tunnel", async () => {
  const nlx = device("endpoint", TUNNEL);
  let index = 0;
  const { there } = await replaced(
    (machine, alpha) => {
      const far = machine.createNetns("/run/netns/machine");
      machine.plantCable([
        { netns: alpha, name: "tap0" },
        { netns: far, name: "eth0" },
      ]);
    },
    async (kernel) => {
      const [tap] = await kernel.devices([{ netns: "host", link: "tap0" }]);
      index = tap?.index ?? assert.fail("there is no tap0");
      return [
        nlx,
        { kind: "program", netns: "host", link: "tap0", index, verdict: "redirect", target: nlx.name },
        led(nlx.name, "redirect", "tap0"),
        { kind: "up", netns: "host", link: nlx.name },
      ];
    },
  );
  const wire: Wire = {
    connectionId: "c1",
    client: { type: "PORT", netns: "host", device: "tap0", index, mtuBytes: 1500 },
    endpoint: mechanism(7, "10.8.1.1", "10.8.1.2"),
    context: CONTEXT,
  };
  assert.deepEqual(diff(objectsOf(plan({ ...wire, guard: "never" })), there), []);
});

test("a wire whose workload has died does not keep the UDP port occupied", async () => {
  const nlx = device("endpoint", TUNNEL);
  const web: Netns = "file:///run/netns/web";
  const wire: Wire = {
    connectionId: "c1",
    client: { type: "KERNEL", netns: web, interfaceName: "nsm-1" },
    endpoint: mechanism(7, "10.8.1.1", "10.8.1.2"),
    context: CONTEXT,
  };
  const dead = {
    ...device("endpoint", { ...TUNNEL, vni: 8 }),
    alias: halfAlias("vxlan", "c2", "endpoint"),
    mac: "02:00:00:00:00:08",
  };
  const { there } = await replaced(
    (machine) => void machine.createNetns("/run/netns/web"),
    async () => [
      ...formerEnd(wire, "client", { netns: web, tunnel: TUNNEL }),
      dead,
      { kind: "up", netns: "host", link: dead.name },
    ],
  );
  const names = new Set(
    there
      .filter(isDevice)
      .flatMap(endsOf)
      .map(({ name }) => name),
  );
  assert.deepEqual([names.has(dead.name), names.has(nlx.name)], [false, false]);
  assert.ok(there.some((object) => object.kind === "up" && object.link === "nlx4789"));
});

test("nothing is to do if no wire has a VXLAN device of its own", () => {
  const wire: Wire = {
    connectionId: "c1",
    client: { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" },
    endpoint: mechanism(7, "10.8.0.1", "10.8.0.2"),
    context: CONTEXT,
  };
  assert.equal(replaceDevices(objectsOf(plan(wire))), undefined);
});
