/**
 * A wire over a third host, on the real kernel:
 *
 * ```
 *   [client]   alpha 10.8.1.1 ===veth=== 10.8.1.2 gamma 10.8.2.1 ===veth=== 10.8.2.2 beta   [server]
 * ```
 */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import type { Kernel, KernelObject, LinkEnd, Netns, Operation } from "../kernel/kernel.ts";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import type { VxlanMechanism } from "../mechanisms/vxlan/vxlan.ts";
import {
  holdsExactly,
  type Hosts,
  hostsFixture,
  localWire,
  reachEachOther,
  reaches,
} from "../../fixtures/forwarder/hosts.ts";
import { planWire } from "./plan/plan-wire.ts";
import { readMeters } from "./meter.ts";
import { Reconciler } from "./reconcile/reconcile.ts";
import type { ConnectionContext, Wire } from "./wire.ts";

const context: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
};

interface ThreeHosts extends Hosts {
  readonly gamma: Kernel;
}

async function threeHosts(t: TestContext, beta: (hosts: Hosts) => Netns): Promise<ThreeHosts> {
  const hosts = await hostsFixture(t);
  const { net } = hosts;
  const between = await net.netns();
  const kernel = await net.kernel({ host: between, mark: { group: 7, protocol: 99 } });
  const end = (netns: Netns, name: string, n: number): LinkEnd => {
    return { netns, name, mac: `02:08:01:00:00:0${n}`, mtuBytes: 1500, alias: "underlay" };
  };
  const cables = [
    [end(hosts.host, "eth1", 1), "10.8.1.1/30", end("host", "eth1", 2), "10.8.1.2/30"],
    [end("host", "eth2", 3), "10.8.2.1/30", end(beta(hosts), "eth1", 4), "10.8.2.2/30"],
  ] as const;
  const objects = cables.flatMap(([a, addressA, b, addressB]): KernelObject[] => [
    { kind: "veth", ends: [a, b] },
    { kind: "address", netns: a.netns, link: a.name, address: addressA },
    { kind: "address", netns: b.netns, link: b.name, address: addressB },
    { kind: "up", netns: a.netns, link: a.name },
    { kind: "up", netns: b.netns, link: b.name },
  ]);
  await kernel.apply(objects.map((object): Operation => ({ verb: "add", object })));
  const gamma = await net.kernel({ host: between, bpffs: `${net.bpffs}/gamma` });
  return { ...hosts, gamma };
}

/** The wire's part on each of the three hosts. */
function transitWire(hosts: Hosts, connectionId = "c1"): Record<"near" | "between" | "far", Wire> {
  const tunnel = (sourceIp: string, destinationIp: string, vni: number): VxlanMechanism => {
    return { type: "VXLAN", sourceIp, destinationIp, vni, underlayMtuBytes: 1500 };
  };
  const [first, second] = [tunnel("10.8.1.1", "10.8.1.2", 7), tunnel("10.8.2.1", "10.8.2.2", 8)];
  const { client, endpoint } = localWire(hosts, context);
  const server = { ...endpoint, netns: hosts.server } as Wire["endpoint"];
  return {
    near: { connectionId, client, endpoint: first, context },
    between: { connectionId, client: first, endpoint: second, context },
    far: { connectionId, client: second, endpoint: server, context },
  };
}

test(
  "a host in between passes frames from tunnel to tunnel, and counts them both ways",
  { skip: needsRoot },
  async (t) => {
    const hosts = await threeHosts(t, ({ other }) => other);
    const wires = transitWire(hosts);
    const [near, between, far] = [hosts.alpha, hosts.gamma, hosts.beta].map(
      (kernel) => new Reconciler(kernel),
    );
    assert.ok(near && between && far);
    await near.apply(planWire(wires.near));
    await far.apply(planWire(wires.far));
    await between.apply(planWire(wires.between));
    await reachEachOther(hosts, hosts.server, context);
    // The largest packet that fits.
    await reaches(hosts, hosts.client, "10.0.0.2", { payloadBytes: 1418 });
    const meters = (["client", "endpoint"] as const).map((towards) => ({ wire: wires.between, towards }));
    const counters = await readMeters(hosts.gamma, meters);
    for (const each of counters) assert.ok(each && each.packets >= 3, JSON.stringify(each));
    await holdsExactly(hosts.gamma, [], wires.between);
    await between.apply(planWire(wires.between));
    await holdsExactly(hosts.gamma, [], wires.between);
    await between.remove("c1");
    await holdsExactly(hosts.gamma, []);
    await Promise.all([near.remove("c1"), far.remove("c1")]);
  },
);

test(
  "another process takes over a transit wire unchanged, and a new tunnel exists before the old one goes",
  { skip: needsRoot },
  async (t) => {
    const hosts = await threeHosts(t, ({ other }) => other);
    const wires = transitWire(hosts);
    await new Reconciler(hosts.alpha).apply(planWire(wires.near));
    await new Reconciler(hosts.beta).apply(planWire(wires.far));
    await new Reconciler(hosts.gamma).apply(planWire(wires.between));
    const later = new Reconciler(hosts.gamma);
    assert.deepEqual([...(await later.adopt(["host"])).keys()], ["c1"]);
    await later.apply(planWire(wires.between));
    await reachEachOther(hosts, hosts.server, context);
    const moved = { ...wires.between, endpoint: { ...wires.between.endpoint, vni: 9 } } as Wire;
    await later.apply(planWire(moved));
    await new Reconciler(hosts.beta).apply(planWire({ ...wires.far, client: moved.endpoint }));
    await reachEachOther(hosts, hosts.server, context);
    await holdsExactly(hosts.gamma, [], moved);
    const last = new Reconciler(hosts.gamma);
    await last.adopt(["host"]);
    assert.deepEqual(await last.sweep(), ["c1"]);
    await holdsExactly(hosts.gamma, []);
  },
);
