/** Pictures of hosts, what is on them, and what joins them: pure functions to text. Whatever is in a name stays inside of its label. */
import { printable } from "../text/printable.ts";

export interface Drawing {
  /** `two` */
  readonly name: string;
  /** Of the text: `lab two`. */
  readonly title: string;
  readonly hosts: readonly { readonly name: string; readonly places: readonly Place[] }[];
  readonly routers: readonly string[];
  readonly links: readonly Cable[];
  readonly wires: readonly DrawnWire[];
}

/** A workload or endpoint, inside of its host. */
interface Place {
  /** Unique in the drawing: `alpha/web`. */
  readonly id: string;
  readonly label: string;
}

/** Between hosts and routers, by their names. */
interface Cable {
  readonly ends: readonly [string, string];
  readonly label: string;
  readonly addresses: string;
}

/** Between places, by their ids. */
interface DrawnWire {
  readonly ends: readonly [string, string];
  /** As the text lists both ends. */
  readonly names: readonly [string, string];
  readonly path: string;
  /** At the edge of a picture. */
  readonly label: string;
}

export type DrawingFormat = "text" | "mermaid" | "dot";

/** With a final newline. */
export function draw(drawing: Drawing, format: DrawingFormat): string {
  return painters[format](drawing);
}

const painters: Readonly<Record<DrawingFormat, (drawing: Drawing) => string>> = {
  text: drawText,
  mermaid: drawMermaid,
  dot: drawDot,
};

function drawText({ title, hosts, routers, links, wires }: Drawing): string {
  const section = (heading: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ["", heading, ...lines.map(printable)];
  const trees = hosts.flatMap(({ name, places }) => [
    `  ${name}`,
    ...places.map(({ label }, i) => `  ${i === places.length - 1 ? "└" : "├"}─ ${label}`),
  ]);
  const cables = links.map(({ ends, label, addresses }) => [`  ${ends.join(" ─── ")}`, label, addresses]);
  return lines([
    printable(title),
    ...section("hosts", trees),
    ...section(
      "routers",
      routers.map((name) => `  ${name}`),
    ),
    ...section("links", align(cables)),
    ...section("wires", align(wires.map(({ names, path }) => [`  ${names[0]}`, `──▶ ${names[1]}`, path]))),
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
    ...drawing.links.map(({ ends, label: text }) => `  ${ids(ends[0])} ---|${label(text)}| ${ids(ends[1])}`),
    ...drawing.wires.map(({ ends, label: text }) => `  ${ids(ends[0])} ==>|${label(text)}| ${ids(ends[1])}`),
  ]);
}

function drawDot(drawing: Drawing): string {
  const { name: title, hosts, routers, links, wires } = drawing;
  const ids = identifiers(drawing);
  const label = (text: string): string => `"${escapeDot(text)}"`;
  // Edges of the underlay end at a point inside of the host, cut off at its frame.
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
    ...links.map(({ ends: [a, b], label: text }) => {
      const cut = [`ltail="${frame(a)}"`, `lhead="${frame(b)}"`].join(", ");
      return `  ${end(a)} -> ${end(b)} [dir=none, ${cut}, label=${label(text)}];`;
    }),
    ...wires.map(
      ({ ends, label: text }) => `  ${ids(ends[0])} -> ${ids(ends[1])} [penwidth=2, label=${label(text)}];`,
    ),
    "}",
  ]);
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
