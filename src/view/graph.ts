/** A lab or a mesh to be drawn: as JSON the shape of `netloom graph -o json` and `netloom lab graph -f json`. */
import type { Side } from "../mechanisms/side.ts";
import type { ServiceView } from "./mesh-view.ts";
import type { State } from "./state.ts";
import type { HopView } from "./way.ts";

export interface Graph {
  /** `two`, `mesh` */
  readonly name: string;
  /** Of the text: `lab two`. */
  readonly title: string;
  readonly services: readonly ServiceView[];
  /** Hosts first, in the order in which they are drawn. */
  readonly nodes: readonly GraphNode[];
  /** Cables between hosts and routers. */
  readonly links: readonly GraphLink[];
  readonly wires: readonly GraphWire[];
}

export interface GraphNode {
  /** Unique: `alpha`, `alpha/web`, `db.beta`. */
  readonly id: string;
  readonly kind: "host" | "router" | "workload" | "endpoint";
  /** Of a workload and an endpoint. Empty if nobody knows. */
  readonly host?: string;
  /** Inside of its host. */
  readonly label: string;
}

export interface GraphLink {
  readonly source: string;
  readonly target: string;
  /** Of both ends. */
  readonly addresses: readonly [readonly string[], readonly string[]];
  readonly mtuBytes: number;
  readonly rateBitsPerSecond?: number;
  readonly delayMs?: number;
  readonly lossPercent?: number;
}

/** From the client to the endpoint. */
export interface GraphWire {
  /** Nodes. */
  readonly source: string;
  readonly target: string;
  /** Names of the two ends, as the text lists them. */
  readonly client: string;
  readonly endpoint: string;
  readonly id: string;
  readonly service: string;
  readonly path: string;
  readonly hops: readonly HopView[];
  /** Absent: nobody has looked. */
  readonly state?: State;
  readonly addresses: Readonly<Record<Side, readonly string[]>>;
  /** At the edge of a picture. */
  readonly label: string;
}
