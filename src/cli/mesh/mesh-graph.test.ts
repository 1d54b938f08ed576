import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { GraphResponseSchema, WireSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { draw } from "../../lab/drawing.ts";
import { meshGraph } from "./mesh-graph.ts";

const wire = create(WireSchema, {
  id: "w1",
  service: "db",
  client: "alpha/web",
  endpoint: "db.beta",
  path: "vxlan vni 42 alpha→beta",
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
const stranger = create(GraphResponseSchema, {
  host: "alpha",
  wires: [create(WireSchema, { ...far, client: "nsc-1", path: "veth on alpha" })],
});

test("text shows hosts with what is on them, and the wires once", () => {
  const { drawing } = meshGraph([alpha, beta]);
  assert.equal(
    draw(drawing, "text"),
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
  const { drawing } = meshGraph([alpha]);
  assert.match(draw(drawing, "mermaid"), /n3 ==>\|"db: vxlan vni 42 alpha→beta"\| n4\n/);
  assert.match(draw(drawing, "dot"), /n4 -> n6 \[penwidth=2, label="db: vxlan vni 42 alpha→beta"\];/);
});

test("json has services, nodes and wires", () => {
  assert.deepEqual(meshGraph([alpha, beta]).document, {
    services: [{ name: "db", payload: "IP" }],
    nodes: [
      { id: "alpha", kind: "host" },
      { id: "beta", kind: "host" },
      { id: "db.beta", kind: "endpoint", host: "beta" },
      { id: "alpha/web", kind: "workload", host: "alpha" },
    ],
    wires: [
      {
        source: "alpha/web",
        target: "db.beta",
        id: "w1",
        service: "db",
        path: "vxlan vni 42 alpha→beta",
        state: "up",
        addresses: { client: ["172.16.0.1"], endpoint: ["172.16.0.0"] },
      },
    ],
  });
});

test("what has no host that anybody knows is drawn elsewhere", () => {
  assert.match(draw(meshGraph([stranger]).drawing, "text"), / {2}elsewhere\n {2}├─ nsc-1\n {2}└─ db\.beta\n/);
});
