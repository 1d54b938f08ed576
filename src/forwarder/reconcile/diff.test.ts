import assert from "node:assert/strict";
import { test } from "node:test";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Operation } from "../../kernel/kernel.ts";
import { batches, diff } from "./diff.ts";
import { tunnelName } from "../../mechanisms/vxlan/vxlan.ts";
import { hostVethName } from "../../mechanisms/kernel/host-end.ts";
import { plan } from "../plan/plan.ts";
import type { Wire } from "../wire.ts";
import type { VxlanMechanism } from "../../mechanisms/vxlan/vxlan.ts";

const tunnel: VxlanMechanism = {
  type: "VXLAN",
  sourceIp: "10.8.0.1",
  destinationIp: "10.8.0.2",
  vni: 7,
  underlayMtuBytes: 1500,
};

function remote(endpoint: Partial<VxlanMechanism>, context: Wire["context"] = {}): Wire {
  return {
    connectionId: "c1",
    client: { type: "KERNEL", netns: "file:///run/netns/a", interfaceName: "nsm-1" },
    endpoint: { ...tunnel, ...endpoint },
    context: { srcIpAddrs: ["10.0.0.1/32"], dstIpAddrs: ["10.0.0.2/32"], ...context },
  };
}

function steps(before: Wire, after: Wire): string[] {
  return diff(plan(after).objects, plan(before).objects).map(describeOperation);
}

const nlv = hostVethName("c1", "client");
const nlx = (vni: number): string => tunnelName("c1", { side: "endpoint", vni, port: 4789, family: 4 });

test("a wire that goes draws no packet into its devices until the kernel has freed them", () => {
  const context = { srcRoutes: [{ prefix: "10.7.0.0/16" }, { prefix: "fd07::/64" }] };
  const dual = {
    srcIpAddrs: ["10.0.0.1/32", "fd00::1/128"],
    dstIpAddrs: ["10.0.0.2/32", "fd00::2/128"],
  };
  const found = diff([], plan(remote({}, { ...dual, ...context })).objects);
  const kinds = found.map(({ verb, object }) => `${verb} ${object.kind}`);
  assert.deepEqual(kinds, [
    ...Array<string>(3).fill("remove route"),
    ...Array<string>(2).fill("remove address"),
    "remove vxlan",
    "remove veth",
  ]);
});

test("another VNI: the new tunnel is up before the program changes over, and the old one goes last", () => {
  assert.deepEqual(steps(remote({}), remote({ vni: 8 })), [
    `add vxlan ${nlx(8)} vni 8`,
    `add program redirect-peer to ${nlv} on ${nlx(8)}`,
    `add sysctl net/ipv6/conf/${nlx(8)}/disable_ipv6=1`,
    `add up ${nlx(8)}`,
    `change program redirect to ${nlx(8)} on ${nlv}`,
    `remove vxlan ${nlx(7)} vni 7`,
  ]);
});

test("another remote with the same VNI changes the tunnel in place", () => {
  assert.deepEqual(steps(remote({}), remote({ destinationIp: "10.8.0.3" })), [
    `change vxlan ${nlx(7)} vni 7`,
  ]);
});

test("another MTU changes both devices in place, and nothing else", () => {
  assert.deepEqual(steps(remote({}), remote({}, { mtuBytes: 1400 })), [
    `change veth nsm-1 in file:///run/netns/a and ${nlv}`,
    `change vxlan ${nlx(7)} vni 7`,
  ]);
});

test("a new peer: the address in its peer form is added before the old one goes", () => {
  const found = steps(remote({}), remote({}, { dstIpAddrs: ["10.0.0.3/32"] }));
  assert.deepEqual(
    found.map((step) => step.replace(/ lladdr .*/, "")),
    [
      "add address 10.0.0.1/32 peer 10.0.0.3/32 dev nsm-1 in file:///run/netns/a",
      "remove address 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1 in file:///run/netns/a",
      "add neighbor 10.0.0.3",
      "remove neighbor 10.0.0.2",
    ],
  );
});

test("the ends of a veth pair may be observed in either order", () => {
  const { objects } = plan(remote({}));
  const turned = objects.map((object) =>
    object.kind === "veth" ? { ...object, ends: [object.ends[1], object.ends[0]] as const } : object,
  );
  assert.deepEqual(diff(objects, turned), []);
});

test("a device in the way goes in a batch of its own, because its removal cannot be undone", () => {
  const local: Wire = {
    ...remote({}),
    endpoint: { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nse-1" },
  };
  const operations: Operation[] = diff(plan(remote({})).objects, plan(local).objects);
  const cut = batches(operations).map((batch) => batch.map(({ verb, object }) => `${verb} ${object.kind}`));
  assert.deepEqual(cut[0], ["remove address", "remove veth"]);
  assert.equal(cut.length, 2);
  assert.equal(cut[1]?.[0], "add veth");
});

test("a workload in another namespace: the program that led to the old pair is led to the new one", () => {
  const moved: Wire = {
    ...remote({}),
    client: { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nsm-1" },
  };
  const found = steps(remote({}), moved);
  assert.deepEqual(found.slice(0, 2), [
    "remove address 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1 in file:///run/netns/a",
    `remove veth nsm-1 in file:///run/netns/a and ${nlv}`,
  ]);
  assert.ok(found.includes(`add program redirect to ${nlx(7)} on ${nlv}`));
  assert.ok(found.includes(`change program redirect-peer to ${nlv} on ${nlx(7)}`));
  assert.ok(!found.some((step) => step.includes("vxlan")));
});
