import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { needsRoot } from "../../fixtures/linux/netns.ts";
import type { Kernel, KernelObject, Netns, Operation } from "./kernel.ts";
import { diff } from "../forwarder/reconcile/diff.ts";
import { type Hosts, hostsFixture, localWire, reaches, remoteWire } from "../../fixtures/forwarder/hosts.ts";
import { contentOf } from "./objects.ts";
import { objectsOf } from "./plan.ts";
import { plan } from "../forwarder/plan/plan.ts";
import { script } from "./script.ts";
import type { ConnectionContext, Wire } from "../forwarder/wire.ts";

const context: ConnectionContext = {
  srcIpAddrs: ["10.0.0.1/32", "10.1.0.1/24", "fd00::1/128"],
  dstIpAddrs: ["10.0.0.2/32", "10.2.0.1/16", "fd00::2/128"],
  srcRoutes: [{ prefix: "0.0.0.0/0" }, { prefix: "fd09::/48", nextHop: "fd00::2" }],
  dstRoutes: [{ prefix: "10.3.0.0/16", nextHop: "10.0.0.1" }],
  policies: [
    { from: "10.0.0.1", proto: "tcp", dstPort: "80-90" },
    { proto: "udp", srcPort: "53" },
  ],
  ipNeighbors: [{ ip: "10.2.0.9", hardwareAddress: "02:00:00:00:00:09" }],
};

function add(objects: readonly KernelObject[]): Operation[] {
  return objects.map((object): Operation => ({ verb: "add", object }));
}

function run(operations: readonly Operation[], host: Netns): void {
  execFileSync("sh", ["-s"], {
    input: script(operations, { host }).join("\n"),
    stdio: ["pipe", "inherit", "pipe"],
  });
}

/**
 * Objects that a script cannot make (iproute2 6.1): programs, tunnels and their shared device, and the protocol of
 * addresses.
 */
function isUnsaid(object: KernelObject): boolean {
  const isShared = object.kind === "external-vxlan" || ("link" in object && object.link?.startsWith("nlx"));
  return isShared || ["program", "address"].includes(object.kind);
}

/** The objects in the kernel that a script can make. */
async function observed(kernel: Kernel, namespaces: readonly Netns[]): Promise<KernelObject[]> {
  const objects = await kernel.observe(["host" as const, ...namespaces].map((netns) => ({ netns })));
  return objects.filter((object) => !isUnsaid(object));
}

/** Addresses as `ip` lists them. */
function addresses(hosts: Hosts, namespaces: readonly Netns[]): string[] {
  return namespaces.flatMap((netns) => {
    const text = execFileSync("ip", ["-n", hosts.net.nameOf(netns), "-j", "address"], { encoding: "utf8" });
    const links = JSON.parse(text) as { ifname: string; addr_info: Record<string, unknown>[] }[];
    return links.flatMap(({ ifname, addr_info: list }) =>
      list.map(({ local, address, prefixlen, nodad }) =>
        [ifname, local, address, prefixlen, nodad].map(String).join(" "),
      ),
    );
  });
}

for (const [title, wireOf] of [
  ["local", (hosts: Hosts) => localWire(hosts, context)],
  ["remote", (hosts: Hosts) => remoteWire(hosts, context).near],
  [
    "remote over IPv6",
    (hosts: Hosts) => remoteWire(hosts, context, { sourceIp: "fd08::1", destinationIp: "fd08::2" }).near,
  ],
] as const) {
  test(`the script of a ${title} wire makes the same objects as apply`, { skip: needsRoot }, async (t) => {
    const hosts = await hostsFixture(t);
    const namespaces = [hosts.client, hosts.local];
    const wire: Wire = { ...wireOf(hosts), connectionId: 'it\'s "c1"' };
    const planned = plan(wire);
    const contents = async (): Promise<string[]> =>
      (await observed(hosts.alpha, namespaces)).map(contentOf).sort();
    await hosts.alpha.apply(add(objectsOf(planned)));
    const [expected, expectedAddresses] = [await contents(), addresses(hosts, namespaces)];
    const removal = diff(
      [],
      await hosts.alpha.observe(["host" as const, ...namespaces].map((netns) => ({ netns }))),
    );
    await hosts.alpha.apply(removal);
    await hosts.alpha.settle();
    assert.deepEqual(await contents(), []);

    run(add(planned.objects), hosts.host);
    assert.deepEqual(await contents(), expected);
    assert.deepEqual(addresses(hosts, namespaces), expectedAddresses);

    run(
      removal.filter(({ object }) => object.kind !== "external-vxlan"),
      hosts.host,
    );
    assert.deepEqual(await contents(), []);
  });
}

test("a remote wire with one half made by a script carries packets", { skip: needsRoot }, async (t) => {
  const hosts = await hostsFixture(t);
  const { near, far } = remoteWire(hosts, context);
  const objects = plan(near).objects;
  run(add(objects), hosts.host);
  await hosts.beta.apply(add(objectsOf(plan(far))));
  await reaches(hosts, hosts.client, "10.0.0.2");
  await reaches(hosts, hosts.client, "fd00::2");
  await reaches(hosts, hosts.server, "10.0.0.1");

  const changed = plan({ ...near, context: { ...context, mtuBytes: 1400 } }).objects;
  const seen = (await observed(hosts.alpha, [hosts.client])).concat(objects.filter(isUnsaid));
  run(diff(changed, seen), hosts.host);
  const now = await observed(hosts.alpha, [hosts.client]);
  assert.deepEqual(diff(changed, now.concat(objects.filter(isUnsaid))), []);
  await hosts.alpha.apply(diff([], await hosts.alpha.observe([{ netns: "host" }, { netns: hosts.client }])));
  await hosts.beta.apply(diff([], objectsOf(plan(far))));
});
