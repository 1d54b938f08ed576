/** Drawings of a lab: pure functions from a lab to text. Whatever is in a name stays inside of its label. */
import { type Lab, type LabLink, type LabWire, sideName, type WireSide } from "./model.ts";
import { pathOf } from "./wire-path.ts";

export const GRAPH_FORMATS = ["text", "mermaid", "dot", "json"] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

/** Draws the lab, with a final newline. */
export function graph(lab: Lab, format: GraphFormat): string {
  return drawings[format](lab);
}

const drawings: Readonly<Record<GraphFormat, (lab: Lab) => string>> = {
  text: textGraph,
  mermaid: mermaidGraph,
  dot: dotGraph,
  json: jsonGraph,
};

function textGraph(lab: Lab): string {
  const hosts = lab.hosts.flatMap(({ name, workloads }) => [
    `  ${name}`,
    ...workloads.map((workload, i) => `  ${i === workloads.length - 1 ? "└" : "├"}─ ${workload}`),
  ]);
  const links = align(
    lab.links.map((link) => [
      `  ${link.ends[0].node} ─── ${link.ends[1].node}`,
      describeLink(link),
      addressesOf(link),
    ]),
  );
  const wires = align(
    lab.wires.map((wire) => [`  ${sideName(wire.client)}`, `──▶ ${sideName(wire.endpoint)}`, pathOf(wire)]),
  );
  const section = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", title, ...lines];
  return lines([
    `lab ${printable(lab.name)}`,
    ...section("hosts", hosts.map(printable)),
    ...section(
      "routers",
      lab.routers.map((name) => `  ${printable(name)}`),
    ),
    ...section("links", links.map(printable)),
    ...section("wires", wires.map(printable)),
  ]);
}

function mermaidGraph(lab: Lab): string {
  const ids = identifiers(lab);
  const label = (text: string): string => `"${escapeMermaid(text)}"`;
  return lines([
    "flowchart LR",
    ...lab.hosts.flatMap(({ name, workloads }) => [
      `  subgraph ${ids(name)}[${label(name)}]`,
      // An empty subgraph cannot be the end of an edge.
      ...(workloads.length === 0 ? [`    ${ids(`${name}/`)}[" "]`] : []),
      ...workloads.map((workload) => `    ${ids(`${name}/${workload}`)}[${label(workload)}]`),
      "  end",
    ]),
    ...lab.routers.map((name) => `  ${ids(name)}{{${label(name)}}}`),
    ...lab.links.map(
      (link) => `  ${ids(link.ends[0].node)} ---|${label(describeLink(link))}| ${ids(link.ends[1].node)}`,
    ),
    ...lab.wires.map(
      (wire) =>
        `  ${ids(workloadOf(wire.client))} ==>|${label(wireLabel(wire))}| ${ids(workloadOf(wire.endpoint))}`,
    ),
  ]);
}

function dotGraph(lab: Lab): string {
  const ids = identifiers(lab);
  const label = (text: string): string => `"${escapeDot(text)}"`;
  // Edges of the underlay end at a point inside of the host, cut off at its frame.
  const end = (node: string): string => (lab.routers.includes(node) ? ids(node) : ids(`${node}/`));
  const frame = (node: string): string => (lab.routers.includes(node) ? "" : `cluster_${ids(node)}`);
  return lines([
    `digraph ${label(lab.name)} {`,
    "  compound=true; rankdir=LR; node [shape=box];",
    ...lab.hosts.flatMap(({ name, workloads }) => [
      `  subgraph cluster_${ids(name)} {`,
      `    label=${label(name)}; ${ids(`${name}/`)} [shape=point, style=invis];`,
      ...workloads.map((workload) => `    ${ids(`${name}/${workload}`)} [label=${label(workload)}];`),
      "  }",
    ]),
    ...lab.routers.map((name) => `  ${ids(name)} [label=${label(name)}, shape=hexagon];`),
    ...lab.links.map(({ ends: [a, b], ...link }) => {
      const cut = [`ltail="${frame(a.node)}"`, `lhead="${frame(b.node)}"`].join(", ");
      return `  ${end(a.node)} -> ${end(b.node)} [dir=none, ${cut}, label=${label(describeLink({ ends: [a, b], ...link }))}];`;
    }),
    ...lab.wires.map(
      (wire) =>
        `  ${ids(workloadOf(wire.client))} -> ${ids(workloadOf(wire.endpoint))} [penwidth=2, label=${label(wireLabel(wire))}];`,
    ),
    "}",
  ]);
}

function jsonGraph(lab: Lab): string {
  const nodes = [
    ...lab.hosts.map(({ name }) => ({ id: name, kind: "host" })),
    ...lab.routers.map((name) => ({ id: name, kind: "router" })),
    ...lab.hosts.flatMap(({ name, workloads }) =>
      workloads.map((workload) => ({ id: `${name}/${workload}`, kind: "workload", host: name })),
    ),
  ];
  const links = lab.links.map(({ ends, ...shape }) => ({
    source: ends[0].node,
    target: ends[1].node,
    addresses: [ends[0].addresses, ends[1].addresses],
    ...shape,
  }));
  const wires = lab.wires.map((wire) => ({
    source: workloadOf(wire.client),
    target: workloadOf(wire.endpoint),
    client: sideName(wire.client),
    endpoint: sideName(wire.endpoint),
    path: pathOf(wire),
    addresses: [wire.client.addresses, wire.endpoint.addresses],
    ...(wire.vni !== undefined && { vni: wire.vni }),
  }));
  return `${JSON.stringify({ lab: lab.name, nodes, links, wires }, null, 2)}\n`;
}

function workloadOf(side: WireSide): string {
  return `${side.host}/${side.workload}`;
}

function wireLabel(wire: LabWire): string {
  return `${wire.client.interface} → ${wire.endpoint.interface}: ${pathOf(wire)}`;
}

function describeLink(link: LabLink): string {
  const parts = [`mtu ${link.mtuBytes}`];
  if (link.rateBitsPerSecond !== undefined) parts.push(`rate ${formatRate(link.rateBitsPerSecond)}`);
  if (link.delayMs !== undefined) parts.push(`delay ${link.delayMs} ms`);
  if (link.lossPercent !== undefined) parts.push(`loss ${link.lossPercent} %`);
  return parts.join(", ");
}

function formatRate(bitsPerSecond: number): string {
  for (const [unit, size] of [
    ["gbit", 1e9],
    ["mbit", 1e6],
    ["kbit", 1e3],
  ] as const) {
    if (bitsPerSecond >= size) return `${bitsPerSecond / size}${unit}`;
  }
  return `${bitsPerSecond}bit`;
}

function addressesOf(link: LabLink): string {
  return link.ends.map((end) => end.addresses.join(" ")).join(" ─ ");
}

/** `n1`, `n2`, … in the order of first use: names may hold anything. */
function identifiers(lab: Lab): (name: string) => string {
  const known = new Map<string, string>();
  for (const name of [...lab.hosts.map((host) => host.name), ...lab.routers])
    known.set(name, `n${known.size + 1}`);
  return (name) => {
    const id = known.get(name) ?? `n${known.size + 1}`;
    known.set(name, id);
    return id;
  };
}

function align(rows: readonly (readonly string[])[]): string[] {
  const widths = [0, 1].map((column) => Math.max(0, ...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

function lines(all: readonly string[]): string {
  return `${all.join("\n")}\n`;
}

/** No control character reaches the terminal. */
function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  );
}

/** All but letters, digits and a few harmless signs as entity codes. https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters */
function escapeMermaid(text: string): string {
  return printable(text).replace(
    /[^\p{L}\p{N} .,:/_→%-]/gu,
    (character) => `#${character.codePointAt(0) ?? 0};`,
  );
}

/** A quoted string of the DOT language. https://graphviz.org/doc/info/lang.html */
function escapeDot(text: string): string {
  return printable(text).replace(/["\\]/g, (character) => `\\${character}`);
}
