/** Draws hosts, their workloads and the wires between them as text. Pure functions. No name breaks out of its label. */
import { printable } from "../text/printable.ts";
import type { Graph, GraphLink, GraphNode, GraphWire } from "./graph.ts";

export type DrawingFormat = "text" | "mermaid" | "dot";

/** The parts of a graph that are drawn. */
interface Drawing {
  readonly name: string;
  readonly title: string;
  readonly hosts: readonly { readonly name: string; readonly places: readonly GraphNode[] }[];
  readonly routers: readonly string[];
  readonly links: readonly GraphLink[];
  readonly wires: readonly GraphWire[];
}

/** Draws a graph. The text ends with a newline. */
export function draw(graph: Graph, format: DrawingFormat): string {
  return painters[format](drawingOf(graph));
}

const painters: Readonly<Record<DrawingFormat, (drawing: Drawing) => string>> = {
  text: drawText,
  mermaid: drawMermaid,
  dot: drawDot,
};

/** Name of the group for nodes whose host is not known. */
const ELSEWHERE = "elsewhere";

function drawingOf({ name, title, nodes, links, wires }: Graph): Drawing {
  const places = nodes.filter(({ kind }) => kind === "workload" || kind === "endpoint");
  const on = (wanted: string) => places.filter(({ host = "" }) => host === wanted);
  const hosts = nodes.filter(({ kind }) => kind === "host").map(({ id }) => ({ name: id, places: on(id) }));
  const strangers = on("");
  return {
    name,
    title,
    hosts: [...hosts, ...(strangers.length > 0 ? [{ name: ELSEWHERE, places: strangers }] : [])],
    routers: nodes.filter(({ kind }) => kind === "router").map(({ id }) => id),
    links,
    wires,
  };
}

function drawText({ title, hosts, routers, links, wires }: Drawing): string {
  const section = (heading: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", heading, ...lines.map(printable)];
  const trees = hosts.flatMap(({ name, places }) => [
    `  ${name}`,
    ...places.map(({ label }, i) => `  ${i === places.length - 1 ? "└" : "├"}─ ${label}`),
  ]);
  const cables = links.map((link) => [
    `  ${link.source} ─── ${link.target}`,
    describeLink(link),
    link.addresses.map((each) => each.join(" ")).join(" ─ "),
  ]);
  const rows = wires.map((wire) => [`  ${wire.client}`, `──▶ ${wire.endpoint}`, pathOf(wire)]);
  return lines([
    printable(title),
    ...section("hosts", trees),
    ...section(
      "routers",
      routers.map((name) => `  ${name}`),
    ),
    ...section("links", align(cables)),
    ...section("wires", align(rows)),
  ]);
}

function drawMermaid(drawing: Drawing): string {
  const ids = identifiers(drawing);
  const label = (text: string): string => `"${escapeMermaid(text)}"`;
  return lines([
    "flowchart LR",
    ...drawing.hosts.flatMap(({ name, places }) => [
      `  subgraph ${ids(name)}[${label(name)}]`,
      // An empty subgraph cannot be the end of an edge.
      ...(places.length === 0 ? [`    ${ids(`${name}/`)}[" "]`] : []),
      ...places.map((place) => `    ${ids(place.id)}[${label(place.label)}]`),
      "  end",
    ]),
    ...drawing.routers.map((name) => `  ${ids(name)}{{${label(name)}}}`),
    ...drawing.links.map(
      (link) => `  ${ids(link.source)} ---|${label(describeLink(link))}| ${ids(link.target)}`,
    ),
    ...drawing.wires.map(
      ({ source, target, label: text }) => `  ${ids(source)} ==>|${label(text)}| ${ids(target)}`,
    ),
  ]);
}

function drawDot(drawing: Drawing): string {
  const { name: title, hosts, routers, links, wires } = drawing;
  const ids = identifiers(drawing);
  const label = (text: string): string => `"${escapeDot(text)}"`;
  // Edges of the underlay end at a point inside of the host, and are cut off at its frame.
  const end = (node: string): string => (routers.includes(node) ? ids(node) : ids(`${node}/`));
  const frame = (node: string): string => (routers.includes(node) ? "" : `cluster_${ids(node)}`);
  return lines([
    `digraph ${label(title)} {`,
    "  compound=true; rankdir=LR; node [shape=box];",
    ...hosts.flatMap(({ name, places }) => [
      `  subgraph cluster_${ids(name)} {`,
      `    label=${label(name)}; ${ids(`${name}/`)} [shape=point, style=invis];`,
      ...places.map((place) => `    ${ids(place.id)} [label=${label(place.label)}];`),
      "  }",
    ]),
    ...routers.map((name) => `  ${ids(name)} [label=${label(name)}, shape=hexagon];`),
    ...links.map((link) => {
      const { source, target } = link;
      const cut = [`ltail="${frame(source)}"`, `lhead="${frame(target)}"`].join(", ");
      return `  ${end(source)} -> ${end(target)} [dir=none, ${cut}, label=${label(describeLink(link))}];`;
    }),
    ...wires.map(
      ({ source, target, label: text }) =>
        `  ${ids(source)} -> ${ids(target)} [penwidth=2, label=${label(text)}];`,
    ),
    "}",
  ]);
}

function pathOf({ path, state = "up" }: GraphWire): string {
  return state === "up" ? path : `${path}, ${state}`;
}

function describeLink(link: GraphLink): string {
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

/** `n1`, `n2`, … in the order of first use: names may hold anything. */
function identifiers({ hosts, routers }: Drawing): (name: string) => string {
  const known = new Map<string, string>();
  for (const name of [...hosts.map((host) => host.name), ...routers]) known.set(name, `n${known.size + 1}`);
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

/** Escapes all but letters, digits and a few harmless signs. https://mermaid.js.org/syntax/flowchart.html#entity-codes-to-escape-characters */
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
