import assert from "node:assert/strict";
import { test } from "node:test";
import { describeObject, describeOperation } from "../../kernel/kernel-text.ts";
import type { KernelObject } from "../../kernel/kernel.ts";
import { hostVethName } from "../../mechanisms/kernel/host-end.ts";
import { isPolicyTable } from "./policy-table.ts";
import { workloadMac } from "./workload-mac.ts";
import { plan, wireMtu } from "./plan.ts";
import type { ConnectionContext, Wire } from "../wire.ts";
import type { KernelMechanism } from "../../mechanisms/kernel/kernel.ts";
import type { VxlanMechanism } from "../../mechanisms/vxlan/vxlan.ts";

const client: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" };
const endpoint: KernelMechanism = { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nse-1" };
const tunnel: VxlanMechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};
const pair: ConnectionContext = { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] };

const local = (context: ConnectionContext): Wire => ({ connectionId: "c1", client, endpoint, context });
const near = (context: ConnectionContext): Wire => ({
  connectionId: "c1",
  client,
  endpoint: tunnel,
  context,
});
const far = (context: ConnectionContext): Wire => ({ connectionId: "c1", client: tunnel, endpoint, context });

/** The objects of one kind in the client's namespace, as text without the namespace. */
function words(wire: Wire, kind: KernelObject["kind"], netns = client.netns): string[] {
  return plan(wire)
    .objects.filter((object) => object.kind === kind && "netns" in object && object.netns === netns)
    .map((object) => describeOperation({ verb: "add", object }))
    .map((text) => text.slice("add ".length).replace(` in ${netns}`, ""));
}

function only<K extends KernelObject["kind"]>(wire: Wire, kind: K): Extract<KernelObject, { kind: K }>[] {
  return plan(wire).objects.filter(
    (object): object is Extract<KernelObject, { kind: K }> => object.kind === kind,
  );
}

test("a local wire is one veth pair, in the documented order", () => {
  const { owner, objects } = plan(local(pair));
  assert.equal(owner, "c1");
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    ["veth", "sysctl", "sysctl", "address", "address", "up", "up", "neighbor", "neighbor"],
  );
  const [veth] = only(local(pair), "veth");
  assert.deepEqual(
    veth?.ends.map(({ netns, name, alias, mtuBytes }) => ({ netns, name, alias, mtuBytes })),
    [
      { netns: client.netns, name: "nsm-1", alias: "server-c1", mtuBytes: 1500 },
      { netns: endpoint.netns, name: "nse-1", alias: "client-c1", mtuBytes: 1500 },
    ],
  );
});

test("a guarded local wire has a pair for each side, and passes frames for the other's MAC on in one step", () => {
  const { objects } = plan({ ...local(pair), guard: "always" });
  const [near, far] = [hostVethName("c1", "client"), hostVethName("c1", "endpoint")];
  const programs = objects.filter(({ kind }) => kind === "program");
  assert.deepEqual(
    programs.map((each) => describeObject(each)),
    [`program redirect to ${near} on ${far}`, `program redirect to ${far} on ${near}`],
  );
  const on = programs.find((each) => each.kind === "program" && each.link === near);
  assert.deepEqual(on, {
    kind: "program",
    netns: "host",
    link: near,
    verdict: "redirect",
    target: far,
    guard: { sources: ["10.0.0.1/32"] },
    mac: workloadMac(local(pair), "endpoint"),
  });
});

test("a remote half is a veth pair with a tunnel on its host end; all tunnels share one device", () => {
  const nlv = hostVethName("c1", "client");
  assert.deepEqual(words(near(pair), "program", "host"), [`tunnel vni 7 to 10.8.0.2 on ${nlv}`]);
  assert.ok(nlv.length === 15);
  assert.deepEqual(words(near(pair), "up", "host"), [`up ${nlv}`]);
  const { shared = [] } = plan(near(pair));
  assert.deepEqual(
    shared.map(describeObject).filter((each) => !each.startsWith("sysctl")),
    ["external vxlan nlx4789", "program decapsulate on nlx4789", "up nlx4789"],
  );
  assert.deepEqual(plan(far(pair)).shared, shared);
});

test("an IPv6 tunnel writes checksums if the other host refuses packets without them", () => {
  const ends = { ...tunnel, sourceIp: "fd08::1", destinationIp: "fd08::2" };
  const needs = (endpoint: typeof ends & object): boolean | undefined =>
    only({ ...near(pair), endpoint }, "program")[0]?.tunnel?.needsChecksum;
  assert.deepEqual([needs(ends), needs({ ...ends, sourceTakesZeroChecksums: true })], [true, true]);
  assert.equal(needs({ ...ends, destinationTakesZeroChecksums: true }), undefined);
});

test("the two halves of a wire fit together: tunnel ends, MACs, addresses, MTU", () => {
  const [nearTunnel, farTunnel] = [near(pair), far(pair)].map((wire) => only(wire, "program")[0]?.tunnel);
  assert.deepEqual([nearTunnel?.local, nearTunnel?.remote], ["10.8.0.1", "10.8.0.2"]);
  assert.deepEqual([farTunnel?.local, farTunnel?.remote], ["10.8.0.2", "10.8.0.1"]);
  const [nearEnd, farEnd] = [only(near(pair), "veth")[0]?.ends[0], only(far(pair), "veth")[0]?.ends[0]];
  assert.equal(nearEnd?.mtuBytes, farEnd?.mtuBytes);
  assert.equal(only(near(pair), "neighbor")[0]?.mac, farEnd?.mac);
  assert.equal(only(far(pair), "neighbor")[0]?.mac, nearEnd?.mac);
  assert.notEqual(nearEnd?.mac, farEnd?.mac);
  assert.equal(nearEnd?.alias, "server-c1");
  assert.equal(farEnd?.alias, "client-c1");
});

test("frames for the workload's own MAC take the short cut, unless the workload is the host itself", () => {
  assert.equal(only(far(pair), "program")[0]?.tunnel?.mac, workloadMac(far(pair), "endpoint"));
  const wire: Wire = { ...near(pair), client: { ...client, netns: "host" } };
  assert.equal(only(wire, "program")[0]?.tunnel?.mac, undefined);
});

test("MACs come from the context, else they are derived and locally administered", () => {
  assert.equal(workloadMac(local({ srcMac: "02:AB:00:00:00:01" }), "client"), "02:ab:00:00:00:01");
  const derived = Number.parseInt(workloadMac(local({}), "client").slice(0, 2), 16);
  assert.equal(derived & 3, 2);
});

test("the MTU is the smallest that anybody asks for and that fits into the tunnel", () => {
  assert.equal(wireMtu(local({})), 1500);
  assert.equal(wireMtu({ ...local({}), client: { ...client, mtuBytes: 9000 } }), 9000);
  assert.equal(wireMtu({ ...local({ mtuBytes: 1400 }), client: { ...client, mtuBytes: 9000 } }), 1400);
  assert.equal(wireMtu(near({})), 1446);
  assert.equal(
    wireMtu({ ...near({}), endpoint: { ...tunnel, sourceIp: "fd08::1", destinationIp: "fd08::2" } }),
    1426,
  );
  assert.equal(wireMtu(near({ mtuBytes: 9000 })), 1446);
  assert.equal(wireMtu(local({ mtuBytes: 0 })), 1500);
});

test("an IPv4 point-to-point pair has the peer form and needs no route", () => {
  const wire = local({ ...pair, srcRoutes: [{ prefix: "10.0.0.2/32" }] });
  assert.deepEqual(words(wire, "address"), ["address 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1"]);
  assert.deepEqual(words(wire, "route"), []);
});

test("an IPv6 point-to-point pair has a route to the peer, and IPv6 is switched on", () => {
  const wire = local({ srcIpAddrs: ["fd00::1/128"], dstIpAddrs: ["fd00:0::2/128"] });
  assert.deepEqual(words(wire, "address"), ["address fd00::1/128 dev nsm-1"]);
  assert.deepEqual(words(wire, "route"), ["route fd00::2/128 dev nsm-1"]);
  assert.equal(words(wire, "sysctl").at(-1), "sysctl net/ipv6/conf/nsm-1/disable_ipv6=0");
});

test("the host's devices of a remote wire have IPv6 off, and no such setting below the smallest IPv6 MTU", () => {
  const settings = (wire: Wire): string[] => words(wire, "sysctl", "host");
  assert.equal(settings(near({})).length, 1);
  assert.deepEqual(settings(near({ mtuBytes: 1279 })), []);
  const [veth] = plan(near({})).objects;
  assert.ok(veth?.kind === "veth");
  assert.deepEqual(
    veth.ends.map((end) => end.linkLocal ?? false),
    [true, false],
  );
});

test("a workload's device trusts no router at the far end, unless the workload asks for that", () => {
  const valuesOf = (wire: Wire, netns: string = client.netns): unknown[] =>
    only(wire, "sysctl").flatMap((each) =>
      each.netns === netns ? [Object.values(each.values).join(" ")] : [],
    );
  const [sealed] = only(local(pair), "sysctl");
  assert.equal(sealed?.link, "nsm-1");
  assert.deepEqual(sealed.values, {
    "net/ipv4/conf/%/accept_redirects": "0",
    "net/ipv6/conf/%/accept_ra": "0",
    "net/ipv6/conf/%/autoconf": "0",
    "net/ipv6/conf/%/accept_redirects": "0",
    "net/ipv6/conf/%/accept_dad": "0",
  });
  const trusting: Wire = { ...local(pair), client: { ...client, routerAdvertisements: true } };
  assert.deepEqual(valuesOf(trusting), ["1 2 1 1 0"]);
  assert.deepEqual(valuesOf(trusting, endpoint.netns), ["0 0 0 0 0"]);
  assert.deepEqual(valuesOf(local({ ...pair, mtuBytes: 1279 })), ["0"]);
});

test("a device forwards the families of its wire if its workload's owner asks for that", () => {
  const forwarding = (context: Wire["context"]): unknown[] => {
    const wire: Wire = { ...local(context), client: { ...client, forwarding: true } };
    return only(wire, "sysctl").flatMap(({ link, values }) =>
      Object.keys(values).flatMap((key) =>
        key.endsWith("forwarding") ? [`${link} ${key} ${values[key]}`] : [],
      ),
    );
  };
  assert.deepEqual(forwarding({ srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"] }), [
    "nsm-1 net/ipv4/conf/%/forwarding 1",
  ]);
  assert.deepEqual(forwarding({ srcIpAddrs: ["fd00::1/128"], dstIpAddrs: ["fd00::2/128"] }), [
    "nsm-1 net/ipv4/conf/%/forwarding 1",
    "nsm-1 net/ipv6/conf/%/force_forwarding 1",
  ]);
});

test("peers inside the device's network need no route, other peers get an on-link route", () => {
  const wire = local({ srcIpAddrs: ["10.0.0.1/24"], dstIpAddrs: ["10.0.0.2/24", "10.1.0.1/16"] });
  assert.deepEqual(words(wire, "address"), ["address 10.0.0.1/24 dev nsm-1"]);
  assert.deepEqual(words(wire, "route"), ["route 10.1.0.0/16 dev nsm-1"]);
});

test("routes go via their next hop, else via the first peer of the family, else on the link", () => {
  const wire = local({
    srcIpAddrs: ["10.0.0.1/24", "fd00::1/128"],
    dstIpAddrs: ["10.0.0.2/24", "fd00::2/128"],
    srcRoutes: [
      { prefix: "172.16.0.0/16", nextHop: "10.0.0.9" },
      { prefix: "0.0.0.0/0" },
      { prefix: "fd09::/48", nextHop: "" },
      { prefix: "10.0.0.128/25" },
    ],
  });
  assert.deepEqual(words(wire, "route"), [
    "route fd00::2/128 dev nsm-1",
    "route 172.16.0.0/16 via 10.0.0.9 dev nsm-1",
    "route 0.0.0.0/1 via 10.0.0.2 dev nsm-1",
    "route 128.0.0.0/1 via 10.0.0.2 dev nsm-1",
    "route fd09::/48 via fd00::2 dev nsm-1",
    "route 10.0.0.128/25 dev nsm-1",
  ]);
  assert.ok(only(wire, "route").every((route) => (route.via !== undefined) === (route.onlink ?? false)));
});

test("the endpoint's routes are on its side", () => {
  const wire = local({ ...pair, dstRoutes: [{ prefix: "10.5.0.0/16" }] });
  assert.deepEqual(words(wire, "route", endpoint.netns), ["route 10.5.0.0/16 via 10.0.0.1 dev nse-1"]);
});

test("a policy has a rule and a table of its own, with the default route if it names none", () => {
  const wire = local({
    ...pair,
    policies: [
      { from: "10.0.0.1", proto: "tcp", dstPort: "8000-8999", routes: [{ prefix: "10.6.0.0/16" }] },
      { proto: "udp" },
    ],
  });
  const rules = only(wire, "rule");
  assert.deepEqual(
    rules.map(({ from, ipProtocol, destinationPorts, family }) => ({
      from,
      ipProtocol,
      destinationPorts,
      family,
    })),
    [
      { from: "10.0.0.1/32", ipProtocol: 6, destinationPorts: [8000, 8999], family: 4 },
      { from: undefined, ipProtocol: 17, destinationPorts: undefined, family: 4 },
    ],
  );
  assert.ok(rules.every(({ table, priority }) => isPolicyTable(table) && priority < 32766));
  assert.ok((rules[0]?.priority ?? 0) < (rules[1]?.priority ?? 0));
  const routes = only(wire, "route").map(({ table, destination, via }) => ({ table, destination, via }));
  assert.deepEqual(routes, [
    { table: rules[0]?.table, destination: "10.6.0.0/16", via: "10.0.0.2" },
    { table: rules[1]?.table, destination: "0.0.0.0/0", via: "10.0.0.2" },
  ]);
});

test("the table of a policy does not depend on its place, and equal policies have different tables", () => {
  const tables = (...policies: NonNullable<ConnectionContext["policies"]>): number[] =>
    only(local({ ...pair, policies }), "rule").map(({ table }) => table);
  const [tcp, udp] = [{ proto: "tcp" }, { proto: "udp" }];
  assert.deepEqual(tables(tcp, udp), tables(udp, tcp).reverse());
  assert.equal(new Set(tables(tcp, tcp)).size, 2);
});

test("every peer has a permanent neighbour entry, and the context adds others", () => {
  const wire = local({
    ...pair,
    ipNeighbors: [
      { ip: "10.0.0.7", hardwareAddress: "02:00:00:00:00:07" },
      { ip: "10.0.0.1", hardwareAddress: "02:00:00:00:00:09" },
    ],
  });
  const mac = workloadMac(wire, "endpoint");
  assert.deepEqual(words(wire, "neighbor"), [
    `neighbor 10.0.0.2 lladdr ${mac} dev nsm-1`,
    "neighbor 10.0.0.7 lladdr 02:00:00:00:00:07 dev nsm-1",
  ]);
});
