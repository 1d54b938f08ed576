import assert from "node:assert/strict";
import { test } from "node:test";
import type { KernelObject, Operation } from "../kernel/kernel.ts";
import { type FoundHalf, plannedWire } from "./planned-wire.ts";
import { hopOf } from "./way.ts";

const end = (host: string, workload: string) => ({
  host,
  workload,
  netns: `file:///run/netns/nl-two-${host}-${workload}`,
  interface: "nl-1",
});
const route: KernelObject = {
  kind: "route",
  netns: "file:///run/netns/nl-two-alpha-web",
  link: "nl-1",
  destination: "10.0.0.0/32",
};
const add: Operation = { verb: "add", object: route };
const remove: Operation = { verb: "remove", object: route };
const setting: Operation = {
  verb: "add",
  object: { kind: "sysctl", netns: route.netns, values: { "net/ipv6/conf/nl-1/forwarding": "0" } },
};

function wire(...found: readonly FoundHalf[]) {
  return plannedWire({
    id: "two.alpha.web.nl-1",
    interfaces: { client: end("alpha", "web"), endpoint: end("beta", "db") },
    addresses: { client: ["10.0.0.1"], endpoint: ["10.0.0.0"] },
    hops: [hopOf({ from: "alpha", to: "beta", carriers: ["vxlan"], identifier: { name: "vni", value: 42 } })],
    mtuBytes: 1446,
    found,
  });
}

const far: FoundHalf = { host: "beta", operations: [], received: { endpoint: { packets: 4, bytes: 336 } } };

test("a wire that matches its plan is up, with hosts and workloads of both ends", () => {
  const view = wire({ host: "alpha", operations: [], received: { client: { packets: 3, bytes: 252 } } }, far);
  assert.deepEqual([view.wire, view.client, view.endpoint], ["alpha/web/nl-1", "alpha/web", "beta/db"]);
  assert.deepEqual([view.state, view.differences, view.hosts], ["up", [], ["alpha", "beta"]]);
  assert.deepEqual(view.interfaces.client?.received, { packets: 3, bytes: 252 });
  assert.deepEqual(view.interfaces.endpoint, { ...end("beta", "db"), received: { packets: 4, bytes: 336 } });
});

test("a missing object takes the wire down, an extra object does not, and an object without a mark is not shown", () => {
  const found = (...operations: readonly Operation[]) =>
    wire({ host: "alpha", operations, received: {} }, far);
  assert.equal(found(add).state, "down");
  assert.match(found(add).differences.join(), /^missing: route 10\.0\.0\.0\/32/);
  assert.equal(found(remove).state, "up");
  assert.match(found(remove).differences.join(), /^unexpected: route/);
  assert.deepEqual([found(setting).state, found(setting).differences], ["up", []]);
});

test("a wire without one of its hosts is down", () => {
  const view = wire({ host: "alpha", operations: [], received: {} }, { host: "beta", received: {} });
  assert.deepEqual([view.state, view.differences], ["down", ["missing: host beta"]]);
});
