import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { validateWire } from "../../forwarder/plan/validate.ts";
import { describeObject } from "../../kernel/kernel-text.ts";
import { mustParseLab } from "../file/parse.ts";
import { connectionId, namespaceName, topology, wireNameOf } from "./topology.ts";
import { UnderlayRouting } from "./underlay.ts";
import { wireTexts } from "../../../fixtures/documents/documents.ts";

/**
 *            r1
 *  alpha ---/  \--- r3 --- beta      alpha - r1 - r3 - beta: 3 hops, MTU 1400
 *        \          /
 *         r2 -- r4 -                 alpha - r2 - r4 - r3 - beta: longer
 */
const text = `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: web }
spec:
  hosts:
    alpha: { workloads: [a, b-1] }
    beta: { workloads: [c] }
  routers: [r1, r2, r3, r4]
  links:
    - { ends: [alpha, r1], subnets: [10.0.1.0/30] }
    - { ends: [alpha, r2], subnets: [10.0.2.0/30] }
    - { ends: [r1, r3], subnets: [10.0.3.0/30], mtu: 1400 }
    - { ends: [r2, r4], subnets: [10.0.4.0/30] }
    - { ends: [r4, r3], subnets: [10.0.5.0/30] }
    - { ends: [r3, beta], subnets: [10.0.6.0/30, "fd00:6::/64"], rate: 10mbit }
${wireTexts(["{ client: alpha/a/w, endpoint: beta/c/w, addresses: { client: [10.9.0.1], endpoint: [10.9.0.2] }, vni: 7, mtu: 1300, routes: { client: [10.10.0.0/16] }, policyRoutes: [{ protocol: tcp, destinationPorts: 80, routes: [10.11.0.0/16] }] }", '{ client: alpha/a/x, endpoint: alpha/b-1/x, addresses: { client: ["fd00::1"], endpoint: ["fd00::2"] } }'])}`;
const lab = mustParseLab(text, "web.yaml");

test("routes take the shortest path over routers, and never over hosts", () => {
  const routing = new UnderlayRouting(lab);
  assert.deepEqual(
    routing.routesOf("alpha").map(({ destination, neighbor, via }) => `${destination} ${neighbor} ${via}`),
    [
      "10.0.3.0/30 r1 10.0.1.2",
      "10.0.4.0/30 r2 10.0.2.2",
      "10.0.5.0/30 r1 10.0.1.2",
      "10.0.6.0/30 r1 10.0.1.2",
    ],
  );
  assert.ok(routing.routesOf("r1").every(({ neighbor }) => neighbor !== "alpha"));
});

test("a tunnel's MTU is the smallest on its path, and both hosts agree on its ends", () => {
  const routing = new UnderlayRouting(lab);
  const there = routing.tunnelPath("alpha", "beta", 4);
  assert.deepEqual(there, { sourceIp: "10.0.1.1", destinationIp: "10.0.6.2", mtuBytes: 1400 });
  const back = routing.tunnelPath("beta", "alpha", 4);
  assert.deepEqual(back, { sourceIp: "10.0.6.2", destinationIp: "10.0.1.1", mtuBytes: 1400 });
  assert.equal(routing.tunnelPath("alpha", "beta", 6), undefined);
});

test("a wire between hosts becomes two halves, and a wire within a host stays whole", () => {
  const { wires } = topology(lab);
  assert.deepEqual(
    wires.map(({ host, name, wire }) => [host, name, wire.client.type, wire.endpoint.type]),
    [
      ["alpha", "alpha/a/w", "KERNEL", "VXLAN"],
      ["beta", "alpha/a/w", "VXLAN", "KERNEL"],
      ["alpha", "alpha/a/x", "KERNEL", "KERNEL"],
    ],
  );
  assert.deepEqual(wires[0]?.wire, {
    connectionId: "web.alpha.a.w",
    client: { type: "KERNEL", netns: "file:///run/netns/nl-web-alpha-a", interfaceName: "w" },
    endpoint: {
      type: "VXLAN",
      sourceIp: "10.0.1.1",
      destinationIp: "10.0.6.2",
      vni: 7,
      underlayMtuBytes: 1400,
    },
    context: {
      srcIpAddrs: ["10.9.0.1/32"],
      dstIpAddrs: ["10.9.0.2/32"],
      srcRoutes: [{ prefix: "10.10.0.0/16" }],
      dstRoutes: [],
      policies: [{ proto: "tcp", dstPort: "80", routes: [{ prefix: "10.11.0.0/16" }] }],
      mtuBytes: 1300,
    },
  });
});

test("the underlay's objects are in a working order, with readable names", () => {
  const { objects } = topology(lab).underlay;
  const kinds = objects.map(({ kind }) => kind);
  assert.deepEqual([...new Set(kinds)], ["veth", "sysctl", "address", "up", "route", "qdisc"]);
  assert.equal(
    describeObject(objects[0] ?? assert.fail()),
    "veth to-r1 in file:///run/netns/nl-web-alpha and to-alpha in file:///run/netns/nl-web-r1",
  );
  const shapes = objects.flatMap((object) => (object.kind === "qdisc" ? [object.link] : []));
  assert.deepEqual(shapes, ["to-beta", "to-r3"]);
});

test("names of namespaces and connections can be mapped back", () => {
  assert.equal(namespaceName("web", "alpha/b-1"), "nl-web-alpha-b-1");
  const [wire] = lab.wires;
  assert.ok(wire);
  const dotted = { ...wire, client: { ...wire.client, interface: "a.b" } };
  assert.equal(wireNameOf("web", connectionId("web", dotted)), "alpha/a/a.b");
  assert.equal(wireNameOf("other", connectionId("web", dotted)), undefined);
  assert.equal(wireNameOf("web", "a-connection-of-an-agent"), undefined);
});

test("the forwarder accepts every wire that the parser accepts", () => {
  const directory = new URL("../../../examples/", import.meta.url);
  const labs = readdirSync(directory)
    .filter((name) => name.endsWith(".yaml") && name !== "attachments.yaml")
    .map((name) => mustParseLab(readFileSync(new URL(name, directory), "utf8"), name));
  for (const { wire } of [lab, ...labs].flatMap((each) => topology(each).wires))
    assert.deepEqual(validateWire(wire), []);
});
