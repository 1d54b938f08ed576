/** Routes between the hosts of a lab. Only routers forward packets. */
import {
  contains,
  familyOf,
  formatIp,
  mustParseIp,
  mustParsePrefix,
  network,
  formatPrefix,
} from "../../net/ip.ts";
import type { Lab, LabLink } from "../file/model.ts";

export type UnderlayGraph = Pick<Lab, "routers" | "links">;

/** A route of a node to a subnet to which it is not connected. */
export interface UnderlayRoute {
  readonly destination: string;
  readonly via: string;
  /** The node at the other end of the route's link. */
  readonly neighbor: string;
}

/** The underlay path of a tunnel between two hosts. */
export interface TunnelPath {
  readonly sourceIp: string;
  readonly destinationIp: string;
  /** The smallest MTU on the paths there and back. */
  readonly mtuBytes: number;
}

/** One step from a node: over `link` to `neighbor`. */
interface Step {
  readonly link: LabLink;
  readonly neighbor: string;
}

interface Reached {
  readonly distance: number;
  /** The first step of the shortest path; absent for the start itself. */
  readonly first?: Step;
  readonly last?: Step;
}

/** The address with prefix length that `node` has on `link`, in `family`. */
export function addressOn(link: LabLink, node: string, family: 4 | 6): string | undefined {
  return link.ends
    .find((end) => end.node === node)
    ?.addresses.find((address) => familyOf(address) === family);
}

/** Finds paths through an underlay. Pure, except for its cache. */
export class UnderlayRouting {
  readonly #graph: UnderlayGraph;
  readonly #routes = new Map<string, readonly UnderlayRoute[]>();

  constructor(graph: UnderlayGraph) {
    this.#graph = graph;
  }

  /** Shortest routes of `node` to all subnets that it reaches over routers. Ties are resolved by name. */
  routesOf(node: string): readonly UnderlayRoute[] {
    const known = this.#routes.get(node);
    if (known) return known;
    const routes = ([4, 6] as const).flatMap((family) => findRoutes(this.#graph, node, family));
    this.#routes.set(node, routes);
    return routes;
  }

  /** The path of a tunnel from `from` to `to`, or `undefined` if no links of this family lead there. */
  tunnelPath(from: string, to: string, family: 4 | 6): TunnelPath | undefined {
    // Both directions have to agree on the addresses, so the search always starts at the same end.
    if (from > to) {
      const back = this.tunnelPath(to, from, family);
      return back && { sourceIp: back.destinationIp, destinationIp: back.sourceIp, mtuBytes: back.mtuBytes };
    }
    const way = reach(this.#graph, from, family).get(to);
    if (!way?.first || !way.last) return undefined;
    const source = addressOn(way.first.link, from, family);
    const destination = addressOn(way.last.link, to, family);
    if (source === undefined || destination === undefined) return undefined;
    const [sourceIp, destinationIp] = [withoutLength(source), withoutLength(destination)];
    const there = this.mtuTo(from, destinationIp);
    const back = this.mtuTo(to, sourceIp);
    if (there === undefined || back === undefined) return undefined;
    return { sourceIp, destinationIp, mtuBytes: Math.min(there, back) };
  }

  /** The smallest MTU on the path from `node` to `address`; `undefined` if there is no path. */
  mtuTo(node: string, address: string): number | undefined {
    const target = mustParseIp(address);
    const leadsThere = (prefix: string): boolean => contains(mustParsePrefix(prefix), target);
    let mtuBytes = Infinity;
    for (let at = node, hops = 0; hops <= this.#graph.routers.length + 1; hops++) {
      const links = this.#graph.links.filter((link) => link.ends.some((end) => end.node === at));
      const direct = links.find(({ ends }) =>
        ends.some((end) => end.node === at && end.addresses.some(leadsThere)),
      );
      if (direct) return Math.min(mtuBytes, direct.mtuBytes);
      const route = this.routesOf(at).find(({ destination }) => leadsThere(destination));
      const link = route && links.find(({ ends }) => ends.some((end) => end.node === route.neighbor));
      if (!route || !link) return undefined;
      mtuBytes = Math.min(mtuBytes, link.mtuBytes);
      at = route.neighbor;
    }
    return undefined;
  }
}

function findRoutes(graph: UnderlayGraph, node: string, family: 4 | 6): UnderlayRoute[] {
  const reached = reach(graph, node, family);
  return subnets(graph, family)
    .filter(({ link }) => !link.ends.some((end) => end.node === node))
    .flatMap(({ link, destination }): UnderlayRoute[] => {
      const nearest = link.ends
        .map((end) => ({ name: end.node, way: reached.get(end.node) }))
        .filter(({ name }) => graph.routers.includes(name))
        .sort(
          (a, b) =>
            (a.way?.distance ?? Infinity) - (b.way?.distance ?? Infinity) || (a.name < b.name ? -1 : 1),
        )[0];
      const first = nearest?.way?.first;
      const via = first && addressOn(first.link, first.neighbor, family);
      return first && via !== undefined
        ? [{ destination, via: withoutLength(via), neighbor: first.neighbor }]
        : [];
    });
}

/** Breadth-first search over the links that carry `family`. Only routers, and the start, are passed through. */
function reach(graph: UnderlayGraph, start: string, family: 4 | 6): Map<string, Reached> {
  const reached = new Map<string, Reached>([[start, { distance: 0 }]]);
  const queue = [start];
  for (let node = queue.shift(); node !== undefined; node = queue.shift()) {
    const way = reached.get(node);
    if (!way || (node !== start && !graph.routers.includes(node))) continue;
    for (const step of stepsFrom(graph, node, family)) {
      if (reached.has(step.neighbor)) continue;
      reached.set(step.neighbor, { distance: way.distance + 1, first: way.first ?? step, last: step });
      queue.push(step.neighbor);
    }
  }
  return reached;
}

function stepsFrom(graph: UnderlayGraph, node: string, family: 4 | 6): Step[] {
  return graph.links
    .flatMap((link): Step[] => {
      const other = link.ends.find((end) => end.node !== node);
      if (!other || !link.ends.some((end) => end.node === node)) return [];
      return addressOn(link, node, family) !== undefined && addressOn(link, other.node, family) !== undefined
        ? [{ link, neighbor: other.node }]
        : [];
    })
    .sort((a, b) => (a.neighbor < b.neighbor ? -1 : 1));
}

function subnets(
  graph: UnderlayGraph,
  family: 4 | 6,
): { readonly link: LabLink; readonly destination: string }[] {
  return graph.links.flatMap((link) => {
    const texts = link.ends[0].addresses.filter((address) => familyOf(address) === family);
    return [...new Set(texts.map((text) => formatPrefix(network(mustParsePrefix(text)))))].map(
      (destination) => ({ link, destination }),
    );
  });
}

function withoutLength(address: string): string {
  return formatIp(mustParsePrefix(address).address);
}
