/** The graph of a lab or a mesh. Its JSON is the output of `netloom graph -o json` and `netloom lab graph -f json`. */
import type { Side } from "../mechanisms/side.ts";
import type { ServiceView } from "./mesh-view.ts";
import type { State } from "./state.ts";
import type { HopView } from "./way.ts";

export interface Graph {
  /** Name of the lab, or `mesh`. */
  readonly name: string;
  /** Title of the text: `lab two`. */
  readonly title: string;
  readonly services: readonly ServiceView[];
  /** Nodes in the order of drawing, hosts first. */
  readonly nodes: readonly GraphNode[];
  /** Cables between hosts and routers. */
  readonly links: readonly GraphLink[];
  readonly wires: readonly GraphWire[];
}

export interface GraphNode {
  /** Unique: `alpha`, `alpha/web`, `db.beta`. */
  readonly id: string;
  readonly kind: "host" | "router" | "workload" | "endpoint";
  /** Host of a workload or an endpoint. Empty if it is not known. */
  readonly host?: string;
  /** Text for the node inside of its host. */
  readonly label: string;
}

export interface GraphLink {
  readonly source: string;
  readonly target: string;
  /** Addresses of both ends. */
  readonly addresses: readonly [readonly string[], readonly string[]];
  readonly mtuBytes: number;
  readonly rateBitsPerSecond?: number;
  readonly delayMs?: number;
  readonly lossPercent?: number;
}

/** A wire, as an edge from the client to the endpoint. */
export interface GraphWire {
  /** Ids of the nodes. */
  readonly source: string;
  readonly target: string;
  /** Names of the two ends in the text. */
  readonly client: string;
  readonly endpoint: string;
  readonly id: string;
  readonly service: string;
  readonly path: string;
  readonly hops: readonly HopView[];
  /** Absent if the state was not read. */
  readonly state?: State;
  readonly addresses: Readonly<Record<Side, readonly string[]>>;
  /** Text at the edge of a picture. */
  readonly label: string;
}
