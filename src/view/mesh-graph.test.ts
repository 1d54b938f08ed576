import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import {
  type GraphResponse,
  GraphResponseSchema,
  WirePathSchema,
  WireSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { draw } from "./drawing.ts";
import { meshGraph } from "./mesh-graph.ts";
import { registryView } from "./mesh-view.ts";

const tunnel = {
  type: "VXLAN",
  parameters: { vni: "42" },
  source: "10.0.0.1",
  destination: "10.0.0.2",
  ways: [],
};
const identifier = { name: "vni", value: 42 };
const wire = create(WireSchema, {
  id: "w1",
  service: "db",
  client: "alpha/web",
  endpoint: "db.beta",
  path: {
    hosts: ["alpha", "beta"],
    hops: [{ from: "alpha", to: "beta", carriers: ["vxlan"], identifier, tunnel }],
  },
  clientAddresses: ["172.16.0.1/32"],
  endpointAddresses: ["172.16.0.0/32"],
  clientEnd: { workload: "web", netns: "file:///run/netns/web", interface: "nsm-1" },
});
const registered = {
  services: [{ name: "db", payload: "IP" }],
  endpoints: [{ name: "db.beta", host: "beta", url: "tcp://10.0.0.2:5001", services: ["db"] }],
  hosts: [{ name: "beta", url: "tcp://10.0.0.2:5001" }],
};
const alpha = create(GraphResponseSchema, { host: "alpha", ...registered, wires: [wire] });
const { clientEnd: _end, ...far } = wire;
const beta = create(GraphResponseSchema, { host: "beta", ...registered, wires: [create(WireSchema, far)] });
const inside = create(WirePathSchema, { hops: [{ from: "alpha", to: "alpha", carriers: ["veth"] }] });
const stranger = create(GraphResponseSchema, {
  host: "alpha",
  wires: [create(WireSchema, { ...far, client: "nsc-1", path: inside })],
});

const graphOf = (...pictures: GraphResponse[]) => meshGraph(registryView(pictures));

test("text shows hosts with their workloads and endpoints, and each wire once", () => {
  assert.equal(
    draw(graphOf(alpha, beta), "text"),
    `mesh

hosts
  alpha
  └─ web
  beta
  └─ db.beta (db)

wires
  alpha/web/nsm-1  ──▶ db.beta  vxlan vni 42 alpha→beta
`,
  );
});

test("mermaid and dot draw an edge from the client to the endpoint", () => {
  const graph = graphOf(alpha);
  assert.match(draw(graph, "mermaid"), /n3 ==>\|"db: vxlan vni 42 alpha→beta"\| n4\n/);
  assert.match(draw(graph, "dot"), /n4 -> n6 \[penwidth=2, label="db: vxlan vni 42 alpha→beta"\];/);
});

test("json has services, nodes and wires", () => {
  assert.deepEqual(graphOf(alpha, beta), {
    name: "mesh",
    title: "mesh",
    services: [{ name: "db", payload: "IP" }],
    nodes: [
      { id: "alpha", kind: "host", label: "alpha" },
      { id: "beta", kind: "host", label: "beta" },
      { id: "db.beta", kind: "endpoint", host: "beta", label: "db.beta (db)" },
      { id: "alpha/web", kind: "workload", host: "alpha", label: "web" },
    ],
    links: [],
    wires: [
      {
        source: "alpha/web",
        target: "db.beta",
        client: "alpha/web/nsm-1",
        endpoint: "db.beta",
        id: "w1",
        service: "db",
        path: "vxlan vni 42 alpha→beta",
        hops: [
          {
            from: "alpha",
            to: "beta",
            carriers: ["vxlan"],
            identifier: { name: "vni", value: 42 },
            tunnel,
            words: "vxlan vni 42",
          },
        ],
        state: "up",
        addresses: { client: ["172.16.0.1"], endpoint: ["172.16.0.0"] },
        label: "db: vxlan vni 42 alpha→beta",
      },
    ],
  });
});

test("a wire inside of a host has one hop, from the host to itself", () => {
  const [drawn] = graphOf(stranger).wires;
  assert.equal(drawn?.path, "veth on alpha");
  assert.deepEqual(drawn?.hops, [{ from: "alpha", to: "alpha", carriers: ["veth"], words: "veth" }]);
});

test("a node without a known host is drawn under elsewhere", () => {
  assert.match(draw(graphOf(stranger), "text"), / {2}elsewhere\n {2}├─ nsc-1\n {2}└─ db\.beta\n/);
});
