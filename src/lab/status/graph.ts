/** The graph of a lab. A pure function. */
import type { Graph, GraphNode } from "../../view/graph.ts";
import { pathWords } from "../../view/way.ts";
import { type Lab, sideName, type WireSide } from "../file/model.ts";
import { connectionId } from "../topology/topology.ts";
import { hopsOf } from "../topology/wire-path.ts";

export function labGraph(lab: Lab): Graph {
  const node = (kind: GraphNode["kind"], id: string): GraphNode => ({ id, kind, label: id });
  return {
    name: lab.name,
    title: `lab ${lab.name}`,
    services: [],
    nodes: [
      ...lab.hosts.map(({ name }) => node("host", name)),
      ...lab.routers.map((name) => node("router", name)),
      ...lab.hosts.flatMap(({ name: host, workloads, ports }) =>
        [...workloads, ...ports.map(({ name }) => name)].map((workload): GraphNode => ({
          id: `${host}/${workload}`,
          kind: "workload",
          host,
          label: workload,
        })),
      ),
    ],
    links: lab.links.map(({ ends, ...shape }) => ({
      source: ends[0].node,
      target: ends[1].node,
      addresses: [ends[0].addresses, ends[1].addresses],
      ...shape,
    })),
    wires: lab.wires.map((wire) => {
      const { client, endpoint } = wire;
      const hops = hopsOf(wire);
      const path = pathWords(hops);
      return {
        source: workloadOf(client),
        target: workloadOf(endpoint),
        client: sideName(client),
        endpoint: sideName(endpoint),
        id: connectionId(lab.name, wire),
        service: "",
        path,
        hops,
        addresses: { client: client.addresses, endpoint: endpoint.addresses },
        label: `${client.interface} → ${endpoint.interface}: ${path}`,
      };
    }),
  };
}

function workloadOf(side: WireSide): string {
  return `${side.host}/${side.workload}`;
}
