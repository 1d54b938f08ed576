/** The graph of a mesh: hosts, endpoints, and the wires from their clients. */
import type { Graph, GraphNode } from "./graph.ts";
import type { MeshView } from "./mesh-view.ts";
import type { WireView } from "./wire-view.ts";

export function meshGraph({ hosts, services, endpoints, wires }: MeshView): Graph {
  const offered: GraphNode[] = endpoints.map(({ name, host, services: all }) => {
    const label = all.length === 0 ? name : `${name} (${all.join(", ")})`;
    return { id: name, kind: "endpoint", host, label };
  });
  const known = new Map(offered.map((node) => [node.id, node]));
  // An endpoint that has left the registry may still have wires.
  for (const node of [...wires.map(clientNode), ...wires.map(endpointNode)])
    if (!known.has(node.id)) known.set(node.id, node);
  const places = [...known.values()];
  const names = [...hosts, ...places].map(({ host = "" }) => host).filter((host) => host !== "");
  return {
    name: "mesh",
    title: "mesh",
    services,
    nodes: [
      ...[...new Set(names)].sort().map((id): GraphNode => ({ id, kind: "host", label: id })),
      ...places,
    ],
    links: [],
    wires: wires.map(({ wire, client, endpoint, id, service, path, hops, state, addresses }) => ({
      source: client,
      target: endpoint,
      client: wire,
      endpoint,
      id,
      service,
      path,
      hops,
      state,
      addresses,
      label: `${service}: ${path}`,
    })),
  };
}

function clientNode({ client, clientWorkload, hosts, interfaces }: WireView): GraphNode {
  const host = interfaces.client?.host ?? hosts[0] ?? "";
  // The label is short if the path names the client by its host and workload.
  const isPlace = clientWorkload !== undefined && client === `${host}/${clientWorkload}`;
  return { id: client, kind: "workload", host, label: isPlace ? clientWorkload : client };
}

function endpointNode({ endpoint, hosts, interfaces }: WireView): GraphNode {
  return {
    id: endpoint,
    kind: "endpoint",
    host: interfaces.endpoint?.host ?? hosts.at(-1) ?? "",
    label: endpoint,
  };
}
