import assert from "node:assert/strict";
import { test } from "node:test";
import { draw, type DrawingFormat } from "../../view/drawing.ts";
import { labGraph } from "./graph.ts";
import type { Lab } from "../file/model.ts";
import { mustParseLab } from "../file/parse.ts";
import { wireTexts } from "../../../fixtures/documents/documents.ts";

const lab = mustParseLab(
  `apiVersion: netloom.dev/v1alpha1
kind: Lab
metadata: { name: two }
spec:
  hosts:
    alpha: { workloads: [web, db] }
    beta: { workloads: [app] }
    gamma:
  routers: [r1]
  links:
    - { ends: [alpha, r1], subnets: [10.0.1.0/30], rate: 100mbit }
    - { ends: [r1, beta], subnets: [10.0.2.0/30], mtu: 1400 }
${wireTexts(["{ client: alpha/web/nl-1, endpoint: alpha/db/nl-1 }", "{ client: alpha/web/nl-2, endpoint: beta/app/nl-1, vni: 42 }"])}`,
  "two.yaml",
);

const graph = (of: Lab, format: DrawingFormat): string => draw(labGraph(of), format);

test("text shows hosts with their workloads, links and wires", () => {
  assert.equal(
    graph(lab, "text"),
    `lab two

hosts
  alpha
  ├─ web
  └─ db
  beta
  └─ app
  gamma

routers
  r1

links
  alpha ─── r1  mtu 1500, rate 100mbit  10.0.1.1/30 ─ 10.0.1.2/30
  r1 ─── beta   mtu 1400                10.0.2.1/30 ─ 10.0.2.2/30

wires
  alpha/web/nl-1  ──▶ alpha/db/nl-1  veth on alpha
  alpha/web/nl-2  ──▶ beta/app/nl-1  vxlan vni 42 alpha→beta
`,
  );
});

test("mermaid has a subgraph for a host and an edge for a wire", () => {
  assert.equal(
    graph(lab, "mermaid"),
    `flowchart LR
  subgraph n1["alpha"]
    n5["web"]
    n6["db"]
  end
  subgraph n2["beta"]
    n7["app"]
  end
  subgraph n3["gamma"]
    n8[" "]
  end
  n4{{"r1"}}
  n1 ---|"mtu 1500, rate 100mbit"| n4
  n4 ---|"mtu 1400"| n2
  n5 ==>|"nl-1 → nl-1: veth on alpha"| n6
  n5 ==>|"nl-2 → nl-1: vxlan vni 42 alpha→beta"| n7
`,
  );
});

test("dot has a cluster for a host and an edge for a wire", () => {
  const dot = graph(lab, "dot");
  assert.match(dot, /^digraph "two" \{\n/);
  assert.match(dot, /subgraph cluster_n1 \{\n {4}label="alpha"/);
  assert.match(dot, /label="nl-2 → nl-1: vxlan vni 42 alpha→beta"\];\n\}\n$/);
});

test("json has every node of every edge", () => {
  const drawn = labGraph(lab);
  const ids = new Set(drawn.nodes.map(({ id }) => id));
  assert.equal(ids.size, 7);
  for (const { source, target } of [...drawn.links, ...drawn.wires])
    assert.ok(ids.has(source) && ids.has(target));
});

test("a hostile name stays inside of its label, and no control character is printed", () => {
  const [first] = lab.wires;
  assert.ok(first);
  const name = '"];}<script>\n\u001b[2J\\"|\u202e';
  const hostile = { ...lab, wires: [{ ...first, client: { ...first.client, interface: name } }] };
  for (const format of ["text", "mermaid", "dot"] as const) {
    const drawn = graph(hostile, format);
    assert.doesNotMatch(drawn.replaceAll("\n", ""), /[\p{Cc}]/u, format);
    assert.equal(
      drawn.split("\n").length,
      graph({ ...lab, wires: [first] }, format).split("\n").length,
      format,
    );
  }
  assert.doesNotMatch(graph(hostile, "mermaid"), /<script>|\|"[^"|]*"[^"|]*"\|/);
  assert.ok(graph(hostile, "dot").includes(String.raw`label="\"];}<script>\\u{a}\\u{1b}[2J\\\"|`));
});
