import assert from "node:assert/strict";
import { test } from "node:test";
import { describeOperation } from "../../kernel/kernel-text.ts";
import type { Operation } from "../../kernel/kernel.ts";
import { batches, diff } from "./diff.ts";
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

test("a removed wire attracts no packets into its devices while the kernel frees them", () => {
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
    "remove program",
    "remove veth",
  ]);
});

test("another VNI, or another host at the other end, changes the tunnel in place", () => {
  assert.deepEqual(steps(remote({}), remote({ vni: 8 })), [`change tunnel vni 8 to 10.8.0.2 on ${nlv}`]);
  assert.deepEqual(steps(remote({}), remote({ destinationIp: "10.8.0.3" })), [
    `change tunnel vni 7 to 10.8.0.3 on ${nlv}`,
  ]);
});

test("another MTU changes the pair in place, and nothing else", () => {
  assert.deepEqual(steps(remote({}), remote({}, { mtuBytes: 1400 })), [
    `change veth nsm-1 in file:///run/netns/a and ${nlv}`,
  ]);
});

test("for a new peer the address in its new peer form is added before the old one is removed", () => {
  const found = steps(remote({}), remote({}, { dstIpAddrs: ["10.0.0.3/32"] }));
  assert.deepEqual(
    found.map((step) => step.replace(/ lladdr .*/, "")),
    [
      "add address 10.0.0.1/32 peer 10.0.0.3/32 dev nsm-1 in file:///run/netns/a",
      "remove address 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1 in file:///run/netns/a",
      `change tunnel vni 7 to 10.8.0.2 on ${nlv}`,
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

test("if a workload moves to another namespace, its tunnel goes with the old pair and comes with the new one", () => {
  const moved: Wire = {
    ...remote({}),
    client: { type: "KERNEL", netns: "file:///run/netns/b", interfaceName: "nsm-1" },
  };
  const found = steps(remote({}), moved);
  assert.deepEqual(found.slice(0, 3), [
    "remove address 10.0.0.1/32 peer 10.0.0.2/32 dev nsm-1 in file:///run/netns/a",
    `remove tunnel vni 7 to 10.8.0.2 on ${nlv}`,
    `remove veth nsm-1 in file:///run/netns/a and ${nlv}`,
  ]);
  assert.ok(found.includes(`add tunnel vni 7 to 10.8.0.2 on ${nlv}`));
});
