/** Drawings of a lab: pure functions from a lab to text. */
import { draw, type Drawing } from "./drawing.ts";
import { type Lab, type LabLink, sideName, type WireSide } from "./model.ts";
import { pathOf } from "./wire-path.ts";

export const GRAPH_FORMATS = ["text", "mermaid", "dot", "json"] as const;
export type GraphFormat = (typeof GRAPH_FORMATS)[number];

/** Draws the lab, with a final newline. */
export function graph(lab: Lab, format: GraphFormat): string {
  return format === "json" ? jsonGraph(lab) : draw(drawingOf(lab), format);
}

function drawingOf(lab: Lab): Drawing {
  return {
    name: lab.name,
    title: `lab ${lab.name}`,
    hosts: lab.hosts.map(({ name, workloads }) => ({
      name,
      places: workloads.map((workload) => ({ id: `${name}/${workload}`, label: workload })),
    })),
    routers: lab.routers,
    links: lab.links.map((link) => ({
      ends: [link.ends[0].node, link.ends[1].node],
      label: describeLink(link),
      addresses: addressesOf(link),
    })),
    wires: lab.wires.map((wire) => ({
      ends: [workloadOf(wire.client), workloadOf(wire.endpoint)],
      names: [sideName(wire.client), sideName(wire.endpoint)],
      path: pathOf(wire),
      label: `${wire.client.interface} → ${wire.endpoint.interface}: ${pathOf(wire)}`,
    })),
  };
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
    ...(wire.tunnel && { [wire.tunnel.type.identifier.key]: wire.tunnel.id }),
  }));
  return `${JSON.stringify({ lab: lab.name, nodes, links, wires }, null, 2)}\n`;
}

function workloadOf(side: WireSide): string {
  return `${side.host}/${side.workload}`;
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
