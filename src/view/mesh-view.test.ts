import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  AttachmentStatus_State,
  type HostStatus,
  HostStatusSchema,
  RegistryStatus_State,
  Wire_State,
  WireSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { isUp, meshView, problemsOf } from "./mesh-view.ts";
import { endName } from "./wire-view.ts";

type WireInit = MessageInitShape<typeof WireSchema>;

const hop = (from: string, to: string, vni: number) => ({
  from,
  to,
  carriers: ["vxlan"],
  identifier: { name: "vni", value: vni },
  tunnel: {
    type: "VXLAN",
    parameters: { vni: String(vni) },
    source: `10.0.0.${from}`,
    destination: `10.0.0.${to}`,
  },
});
const HOSTS = ["alpha", "gamma", "beta"];
const [first, second] = [hop("alpha", "gamma", 1), hop("gamma", "beta", 2)];
const COMMON = {
  id: "w1",
  service: "db",
  client: "alpha/web",
  endpoint: "db.beta",
  mtu: 1446,
  payload: "IP",
  clientAddresses: ["10.9.0.1/32"],
  endpointAddresses: ["10.9.0.0/32"],
} as const satisfies WireInit;
const web = { workload: "web", netns: "file:///run/netns/web", interface: "nsm-1" };
const db = { workload: "db", netns: "file:///run/netns/db", interface: "db-1" };

function status(host: string, wires: readonly WireInit[], more: object = {}): HostStatus {
  const all = wires.map((wire) => create(WireSchema, wire));
  const registry = { state: RegistryStatus_State.FRESH };
  return create(HostStatusSchema, { host, wires: all, registry, ...more });
}

/** A wire over a third host, in the statuses of all three. */
const alpha = status("alpha", [
  {
    ...COMMON,
    path: { hosts: HOSTS, hops: [first] },
    clientEnd: web,
    attachments: [{ kind: "NetworkServiceClient", name: "web-db" }],
  },
]);
const gamma = status("gamma", [{ ...COMMON, path: { hosts: HOSTS, hops: [first, second] }, mtu: 1400 }]);
const beta = status("beta", [
  {
    ...COMMON,
    path: { hosts: HOSTS, hops: [second] },
    endpointEnd: db,
    attachments: [{ kind: "NetworkServiceProvider", name: "db" }],
  },
]);

test("a wire over a third host is one wire, with its path host by host", () => {
  for (const statuses of [
    [alpha, gamma, beta],
    [beta, gamma, alpha],
  ]) {
    const [wire, ...others] = meshView(statuses).wires;
    assert.ok(wire);
    assert.deepEqual(others, []);
    assert.equal(wire.path, "vxlan vni 1 alpha→gamma, vxlan vni 2 gamma→beta");
    assert.deepEqual(
      wire.hops.map(({ from, to, words, tunnel }) => [from, to, words, tunnel?.source]),
      [
        ["alpha", "gamma", "vxlan vni 1", "10.0.0.alpha"],
        ["gamma", "beta", "vxlan vni 2", "10.0.0.gamma"],
      ],
    );
    assert.deepEqual([wire.mtuBytes, wire.state, wire.wire], [1400, "up", "alpha/web/nsm-1"]);
    assert.equal(endName(wire, "endpoint"), "beta/db/db-1");
    assert.deepEqual(wire.addresses, { client: ["10.9.0.1"], endpoint: ["10.9.0.0"] });
    assert.deepEqual(
      wire.attachments.map(({ host, name }) => `${name} on ${host}`),
      ["web-db on alpha", "db on beta"],
    );
  }
});

test("the status of one host shows the rest of the path as far as it is known", () => {
  const [near] = meshView([alpha]).wires;
  assert.equal(near?.path, "vxlan vni 1 alpha→gamma, gamma→beta");
  assert.deepEqual(near?.differences, []);
  assert.deepEqual(near?.interfaces.endpoint, undefined);
  const [far] = meshView([beta]).wires;
  assert.equal(far?.path, "alpha→gamma, vxlan vni 2 gamma→beta");
  assert.equal(far?.wire, "alpha/web");
});

test("when all hosts were asked, a part of a wire that a host does not report is missing", () => {
  const whole = (...statuses: readonly HostStatus[]) => meshView(statuses, { isWhole: true }).wires[0];
  assert.deepEqual(whole(alpha, gamma, beta)?.differences, []);
  assert.deepEqual(whole(alpha, gamma, status("beta", []))?.differences, ["missing: the half of db.beta"]);
  assert.deepEqual(whole(alpha, status("gamma", []), beta)?.differences, ["missing: the part on gamma"]);
  const far = whole(status("alpha", []), gamma, beta);
  assert.deepEqual([far?.differences, far?.state], [["missing: the half of alpha/web"], "down"]);
  // A host without a Netloom agent has no status, and nothing is missing.
  assert.deepEqual(whole(alpha, gamma)?.differences, []);
});

test("a wire that is down on one of its hosts is down, with that host's reason", () => {
  const lost = status("gamma", [
    { ...COMMON, path: { hosts: HOSTS }, state: Wire_State.DOWN, reason: "beta is gone", connection: {} },
  ]);
  const [wire] = meshView([alpha, lost, beta]).wires;
  assert.deepEqual([wire?.state, wire?.reason], ["down", "beta is gone"]);
});

test("a wire has the state of its client while the client heals it", () => {
  const attachments = [
    {
      ref: { kind: "NetworkServiceClient", name: "web-db" },
      state: AttachmentStatus_State.HEALING,
      wireId: "w1",
    },
  ];
  const healing = status("alpha", alpha.wires, { attachments });
  const view = meshView([healing, gamma, beta]);
  assert.equal(view.wires[0]?.state, "healing");
  assert.ok(!isUp(view));
  assert.deepEqual(problemsOf(view), ["NetworkServiceClient web-db of alpha is not up: "]);
});

test("an unclaimed wire of a host adds only values that other hosts do not report", () => {
  const left = status("beta", [], {
    unclaimed: [
      { id: "w1", state: Wire_State.UNCLAIMED, endpointEnd: db, endpointAddresses: ["10.1.1.1/32"] },
      { id: "w2", state: Wire_State.UNCLAIMED, endpointEnd: { ...db, interface: "db-2" } },
    ],
  });
  const { wires } = meshView([left, alpha, gamma], { isWhole: true });
  const known = wires.find(({ id }) => id === "w1");
  assert.deepEqual([known?.state, known?.differences], ["up", []]);
  assert.equal(known?.interfaces.endpoint?.interface, "db-1");
  assert.deepEqual(known?.addresses.endpoint, ["10.9.0.0"]);
  assert.equal(wires.find(({ id }) => id === "w2")?.state, "unclaimed");
});

test("the path shows the addresses of hosts without a known name", () => {
  const path = { hosts: ["alpha", ""], hops: [{ ...first, to: "" }] };
  const [wire] = meshView([status("alpha", [{ ...COMMON, path, clientEnd: web }])]).wires;
  assert.equal(wire?.path, "vxlan vni 1 alpha→10.0.0.gamma");
});

test("hosts, workloads, services and endpoints appear once", () => {
  const attachments = [
    {
      ref: { kind: "NetworkServiceProvider", name: "db" },
      state: AttachmentStatus_State.UP,
      workload: "db",
      endpoint: "db.beta",
      services: ["db"],
    },
  ];
  const silent = [
    { host: "beta", reason: "it is gone" },
    { host: "delta", reason: "nobody answers" },
  ];
  const view = meshView([alpha, status("beta", beta.wires, { attachments })], { silent });
  assert.deepEqual(view.workloads, [
    { host: "beta", workload: "db" },
    { host: "alpha", workload: "web" },
  ]);
  assert.deepEqual(view.services, [{ name: "db" }]);
  assert.deepEqual(view.endpoints, [{ name: "db.beta", host: "beta", services: ["db"] }]);
  assert.deepEqual(
    view.hosts.map(({ host, silence, registry }) => [host, silence, registry?.state]),
    [
      ["alpha", undefined, "fresh"],
      ["beta", "it is gone", "fresh"],
      ["delta", "nobody answers", undefined],
    ],
  );
  assert.deepEqual(problemsOf(view), [
    "the agent of beta does not answer: it is gone",
    "the agent of delta does not answer: nobody answers",
  ]);
});
