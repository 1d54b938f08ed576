/**
 * Pictures of the pages: an SVG from a YAML file of boxes, lines and notes, in pixels. Light and dark follow the page that shows it
 * (`prefers-color-scheme`, which in an image is the `color-scheme` of the element).
 *
 * ```yaml
 * title: what it shows, for who does not see it
 * boxes:
 *   alpha: { at: [20, 20], size: [200, 120], kind: host, label: host alpha }
 *   web: { at: [40, 70], size: [90, 40], kind: workload }       # the label is its name
 * lines:
 *   - { from: web, to: db, kind: wire, label: veth, via: [[90, 200]] }
 * notes:
 *   - { at: [20, 180], text: a line of text, align: start }
 * ```
 */
import { parse } from "yaml";
import { z } from "zod";

const Point = z.tuple([z.number(), z.number()]);

const Picture = z.strictObject({
  title: z.string(),
  boxes: z.record(
    z.string(),
    z.strictObject({
      at: Point,
      size: Point,
      /** A host or machine has its label in its corner. */
      kind: z.enum(["host", "workload", "process", "machine", "state"]),
      label: z.string().optional(),
    }),
  ),
  lines: z
    .array(
      z.strictObject({
        from: z.string(),
        to: z.string(),
        /** Wires and tunnels carry packets; a call has an arrow. */
        kind: z.enum(["wire", "tunnel", "cable", "call"]),
        label: z.string().optional(),
        via: z.array(Point).default([]),
        /** Moves the label from the middle of the line. */
        shift: Point.default([0, 0]),
      }),
    )
    .default([]),
  notes: z
    .array(
      z.strictObject({
        at: Point,
        text: z.string(),
        align: z.enum(["start", "middle", "end"]).default("middle"),
      }),
    )
    .default([]),
});

type PictureSource = z.infer<typeof Picture>;
type Box = PictureSource["boxes"][string];
type XY = z.infer<typeof Point>;

const MARGIN = 16;

const STYLE = `
  svg { --card: #f6f8fa; --text: #1f2328; --soft: #59636e; --edge: #c5ccd3; --fill: #ffffff; --wire: #0969da; --tint: #ddf4ff; }
  @media (prefers-color-scheme: dark) {
    svg { --card: #151b23; --text: #f0f6fc; --soft: #9ba3ad; --edge: #4a525c; --fill: #0d1117; --wire: #58a6ff; --tint: #14304f; }
  }
  text { font: 14px system-ui, "Segoe UI", "DejaVu Sans", sans-serif; fill: var(--text); }
  .soft { fill: var(--soft); font-size: 13px; }
  .card { fill: var(--card); }
  .host, .machine, .process, .state { fill: var(--fill); stroke: var(--edge); stroke-width: 1.5; }
  .machine { stroke-dasharray: 5 4; }
  .workload { fill: var(--tint); stroke: var(--wire); stroke-width: 1.5; }
  .wire, .tunnel, .cable, .call { fill: none; stroke: var(--edge); stroke-width: 2; }
  .wire, .tunnel { stroke: var(--wire); stroke-width: 3; }
  .tunnel { stroke-dasharray: 9 5; }
  .call { stroke: var(--soft); stroke-width: 1.5; marker-end: url(#arrow); }
  #arrow path { fill: var(--soft); }
`;

/** The SVG of a source. Throws with the reason for one that is none. */
export function renderPicture(source: string): string {
  const picture = Picture.parse(parse(source));
  const [width, height] = sizeOf(picture);
  const boxes = Object.entries(picture.boxes);
  const isRoom = ({ kind }: Box): boolean => kind === "host" || kind === "machine";
  const body = [
    ...boxes.filter(([, box]) => isRoom(box)).map(([name, box]) => drawBox(name, box)),
    ...picture.lines.map((line) => drawLine(picture, line)),
    ...boxes.filter(([, box]) => !isRoom(box)).map(([name, box]) => drawBox(name, box)),
    ...picture.lines.map((line) => drawLabel(picture, line)),
    ...picture.notes.map(({ at, text, align }) => drawText(text, at, { align, look: "soft" })),
  ];
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(picture.title)}</title>`,
    `<style>${STYLE}</style>`,
    `<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>`,
    `<rect class="card" width="${width}" height="${height}" rx="10"/>`,
    ...body.filter((part) => part !== ""),
    "</svg>\n",
  ].join("\n");
}

function sizeOf({ boxes, lines, notes }: PictureSource): XY {
  const corners: XY[] = [
    ...Object.values(boxes).map(({ at: [x, y], size: [w, h] }): XY => [x + w, y + h]),
    ...lines.flatMap(({ via }) => via),
    ...notes.map(({ at: [x, y] }): XY => [x, y + 4]),
  ];
  return [Math.max(...corners.map(([x]) => x)) + MARGIN, Math.max(...corners.map(([, y]) => y)) + MARGIN];
}

function drawBox(name: string, { at: [x, y], size: [w, h], kind, label = name }: Box): string {
  const round = kind === "state" ? h / 2 : kind === "host" || kind === "machine" ? 10 : 6;
  const shape = `<rect class="${kind}" x="${x}" y="${y}" width="${w}" height="${h}" rx="${round}"/>`;
  if (label === "") return shape;
  const text =
    kind === "host" || kind === "machine"
      ? drawText(label, [x + 12, y + 23], { align: "start", look: "soft" })
      : drawText(label, [x + w / 2, y + h / 2 + 5], { align: "middle", look: "" });
  return `${shape}\n${text}`;
}

type Line = PictureSource["lines"][number];

function drawLine(picture: PictureSource, line: Line): string {
  return `<polyline class="${line.kind}" points="${pointsOf(picture, line).join(" ")}"/>`;
}

function drawLabel(picture: PictureSource, line: Line): string {
  if (line.label === undefined) return "";
  const points = pointsOf(picture, line);
  const middle = Math.floor((points.length - 1) / 2);
  const [[x1, y1], [x2, y2]] = [points[middle] ?? [0, 0], points[middle + 1] ?? [0, 0]];
  const [dx, dy] = line.shift;
  return drawText(line.label, [(x1 + x2) / 2 + dx, (y1 + y2) / 2 - 9 + dy], {
    align: "middle",
    look: "soft",
  });
}

/** From the edge of one box to that of the other. */
function pointsOf(picture: PictureSource, { from, to, via }: Line): XY[] {
  const [first, last] = [boxOf(picture, from), boxOf(picture, to)];
  const start = edgeTowards(first, via[0] ?? middleOf(last));
  const end = edgeTowards(last, via.at(-1) ?? middleOf(first));
  return [start, ...via, end];
}

function boxOf({ boxes }: PictureSource, name: string): Box {
  const box = boxes[name];
  if (!box) throw new Error(`a line names ${name}, and there is no such box`);
  return box;
}

function middleOf({ at: [x, y], size: [w, h] }: Box): XY {
  return [x + w / 2, y + h / 2];
}

/**
 * The point at which a line from the middle of a box towards another point leaves the box: straight, if that point is
 * beside, above or below it.
 */
function edgeTowards(box: Box, [px, py]: XY): XY {
  const {
    at: [x, y],
    size: [w, h],
  } = box;
  if (py >= y && py <= y + h) return [px > x ? x + w : x, py];
  if (px >= x && px <= x + w) return [px, py > y ? y + h : y];
  const [cx, cy] = middleOf(box);
  const scale = Math.min(w / 2 / Math.abs(px - cx), h / 2 / Math.abs(py - cy));
  return [Math.round(cx + (px - cx) * scale), Math.round(cy + (py - cy) * scale)];
}

interface TextLook {
  readonly align: "start" | "middle" | "end";
  readonly look: string;
}

function drawText(text: string, [x, y]: XY, { align, look }: TextLook): string {
  const attributes = [`x="${x}"`, `y="${y}"`, `text-anchor="${align}"`, ...(look ? [`class="${look}"`] : [])];
  return `<text ${attributes.join(" ")}>${escape(text)}</text>`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
