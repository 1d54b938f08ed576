/**
 * Two hosts with an underlay between them, a workload on each, and a second one on alpha:
 *
 * ```
 *   [client] [local]           alpha 10.8.0.1 ===veth=== 10.8.0.2 beta          [server]
 *                                   fd08::1               fd08::2
 * ```
 */
import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { ping, type ProbeOptions } from "../linux/icmp.ts";
import { type NetnsFixture, netnsFixture } from "../linux/netns-fixture.ts";
import type { Kernel, KernelObject, LinkEnd, Netns, Operation } from "../kernel/kernel.ts";
import { diff } from "./diff.ts";
import { plan } from "./plan.ts";
import type { ConnectionContext, Wire } from "./wire.ts";
import type { VxlanMechanism } from "../mechanisms/vxlan/vxlan.ts";

/** MTU of the underlay. */
const UNDERLAY_MTU = 1500;

export interface Hosts {
  readonly net: NetnsFixture;
  readonly alpha: Kernel;
  readonly beta: Kernel;
  /** Namespaces. */
  readonly host: Netns;
  readonly other: Netns;
  readonly client: Netns;
  readonly local: Netns;
  readonly server: Netns;
}

export async function hostsFixture(t: TestContext): Promise<Hosts> {
  const net = await netnsFixture(t);
  const [host, other, client, local, server] = [
    await net.netns(),
    await net.netns(),
    await net.netns(),
    await net.netns(),
    await net.netns(),
  ];
  await addUnderlay(net, host, other);
  // A host has a bpffs of its own: whoever opens one forgets the devices that are not of his host.
  const alpha = await net.kernel({ host, bpffs: `${net.bpffs}/alpha` });
  const beta = await net.kernel({ host: other, bpffs: `${net.bpffs}/beta` });
  return { net, alpha, beta, host, other, client, local, server };
}

/** As if a stranger had made it: it goes with its namespaces. */
async function addUnderlay(net: NetnsFixture, host: Netns, other: Netns): Promise<void> {
  const kernel = await net.kernel({ host, mark: { group: 7, protocol: 99 } });
  const end = (netns: Netns, n: number): LinkEnd => {
    return { netns, name: "eth0", mac: `02:08:00:00:00:0${n}`, mtuBytes: UNDERLAY_MTU, alias: "underlay" };
  };
  const objects: KernelObject[] = [{ kind: "veth", ends: [end("host", 1), end(other, 2)] }];
  for (const [netns, n] of [
    ["host", 1],
    [other, 2],
  ] as const) {
    const on = { netns, link: "eth0" };
    objects.push({ kind: "address", ...on, address: `10.8.0.${n}/24` });
    objects.push({ kind: "address", ...on, address: `fd08::${n}/64` }, { kind: "up", ...on });
  }
  await kernel.apply(objects.map((object): Operation => ({ verb: "add", object })));
}

/** The wire from `client` to `local`, within alpha. */
export function localWire(hosts: Hosts, context: ConnectionContext, connectionId = "c1"): Wire {
  return {
    connectionId,
    client: { type: "KERNEL", netns: hosts.client, interfaceName: "nsm-1" },
    endpoint: { type: "KERNEL", netns: hosts.local, interfaceName: "nse-1" },
    context,
  };
}

/** Both halves of the wire from `client` on alpha to `server` on beta. */
export function remoteWire(
  hosts: Hosts,
  context: ConnectionContext,
  options: Partial<VxlanMechanism> & { readonly connectionId?: string } = {},
): { readonly near: Wire; readonly far: Wire } {
  const { connectionId = "c1", ...change } = options;
  const tunnel: VxlanMechanism = {
    type: "VXLAN",
    sourceIp: "10.8.0.1",
    destinationIp: "10.8.0.2",
    vni: 7,
    underlayMtuBytes: UNDERLAY_MTU,
    ...change,
  };
  const { client, endpoint } = localWire(hosts, context);
  const server = { ...endpoint, netns: hosts.server } as Wire["endpoint"];
  return {
    near: { connectionId, client, endpoint: tunnel, context },
    far: { connectionId, client: tunnel, endpoint: server, context },
  };
}

/** Fails unless `address` answers a ping from `netns`. */
export async function reaches(
  hosts: Hosts,
  netns: Netns,
  address: string,
  options?: ProbeOptions,
): Promise<void> {
  const answer = await ping(hosts.net.machine, { netns, address, ...options });
  assert.ok(answer.rttMs !== undefined, `${address} does not answer (${answer.errno ?? "time out"})`);
}

/** Fails unless the kernel holds exactly what the wires need; settings apart, which nobody can observe. */
export async function holdsExactly(
  kernel: Kernel,
  netns: readonly Netns[],
  ...wires: readonly Wire[]
): Promise<void> {
  const observed = await kernel.observe(["host" as const, ...netns].map((each) => ({ netns: each })));
  const wanted = wires.flatMap((wire) => plan(wire).objects);
  assert.deepEqual(diff(wanted, observed), []);
}

/** Without their prefix lengths. */
export function addressesOf(texts: readonly string[] | undefined): string[] {
  return (texts ?? []).map((text) => text.split("/")[0] ?? "");
}

/** The client and `server`, at all addresses of the context. */
export async function reachEachOther(hosts: Hosts, server: Netns, context: ConnectionContext): Promise<void> {
  for (const address of addressesOf(context.dstIpAddrs)) await reaches(hosts, hosts.client, address);
  for (const address of addressesOf(context.srcIpAddrs)) await reaches(hosts, server, address);
}
