import { draw, type DrawingFormat } from "../view/drawing.ts";
import type { Graph } from "../view/graph.ts";
import type { Output } from "./output.ts";

export type GraphFormat = DrawingFormat | "json";

export function printGraph(out: Output, graph: Graph, format: GraphFormat): void {
  if (format === "json") out.json(graph);
  else out.write(draw(graph, format));
}
