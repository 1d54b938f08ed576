/** The mesh as a picture, put together from what several agents see. */
import { create } from "@bufbuild/protobuf";
import {
  type GraphEndpoint,
  type GraphResponse,
  HostStatusSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Drawing } from "../../lab/drawing.ts";
import { meshView, type WireView } from "./mesh-view.ts";

interface GraphNode {
  readonly id: string;
  readonly kind: "host" | "workload" | "endpoint";
  /** Of a workload and an endpoint. Empty if nobody knows. */
  readonly host?: string;
}

/** The shape of `netloom graph -o json`. Wires lead from client to endpoint. */
export interface GraphDocument {
  readonly services: readonly { readonly name: string; readonly payload: string }[];
  readonly nodes: readonly GraphNode[];
  readonly wires: readonly {
    readonly source: string;
    readonly target: string;
    readonly id: string;
    readonly service: string;
    readonly path: string;
    readonly state: string;
    readonly addresses: WireView["addresses"];
  }[];
}

export function meshGraph(pictures: readonly GraphResponse[]): {
  readonly document: GraphDocument;
  readonly drawing: Drawing;
} {
  const endpoints = unique(
    pictures.flatMap((picture) => picture.endpoints),
    ({ name }) => name,
  );
  const services = unique(
    pictures.flatMap((picture) => picture.services),
    ({ name }) => name,
  );
  // Both hosts of a wire tell of it.
  const { wires } = meshView(pictures.map(({ host, wires }) => create(HostStatusSchema, { host, wires })));
  const nodes = nodesOf({ pictures, endpoints, wires });
  const document: GraphDocument = {
    services: services.map(({ name, payload }) => ({ name, payload })),
    nodes,
    wires: wires.map(({ client, endpoint, id, service, path, state, addresses }) => ({
      source: client,
      target: endpoint,
      id,
      service,
      path,
      state,
      addresses,
    })),
  };
  return { document, drawing: drawingOf({ nodes, endpoints, wires }) };
}

function nodesOf({
  pictures,
  endpoints,
  wires,
}: {
  readonly pictures: readonly GraphResponse[];
  readonly endpoints: readonly GraphEndpoint[];
  readonly wires: readonly WireView[];
}): GraphNode[] {
  const places: GraphNode[] = [
    ...endpoints.map(({ name, host }) => ({ id: name, kind: "endpoint" as const, host })),
    ...wires.map(({ client }) => ({ id: client, kind: "workload" as const, host: hostOfClient(client) })),
    // An endpoint that has left the registry may still have wires.
    ...wires.map(({ endpoint, tunnels }) => ({
      id: endpoint,
      kind: "endpoint" as const,
      host: tunnels.at(-1)?.remoteHost ?? "",
    })),
  ];
  const hosts = [
    ...pictures.flatMap(({ host, hosts }) => [host, ...hosts.map(({ name }) => name)]),
    ...places.map(({ host = "" }) => host),
  ].filter((name) => name !== "");
  return [
    ...[...new Set(hosts)].sort().map((id) => ({ id, kind: "host" as const })),
    ...unique(places, ({ id }) => id),
  ];
}

/** `alpha` of `alpha/web`. */
function hostOfClient(client: string): string {
  return client.includes("/") ? (client.split("/")[0] ?? "") : "";
}

/** What has no host that anybody knows. */
const elsewhere = "elsewhere";

function drawingOf({
  nodes,
  endpoints,
  wires,
}: {
  readonly nodes: readonly GraphNode[];
  readonly endpoints: readonly GraphEndpoint[];
  readonly wires: readonly WireView[];
}): Drawing {
  const offered = new Map(endpoints.map(({ name, services }) => [name, services.join(", ")]));
  const places = nodes.filter(({ kind }) => kind !== "host");
  const hosts = nodes.flatMap(({ id, kind }) => (kind === "host" ? [id] : []));
  const isAnywhere = places.some(({ host = "" }) => host === "");
  const labelOf = ({ id, host = "" }: GraphNode): string => {
    const short = id.startsWith(`${host}/`) ? id.slice(host.length + 1) : id;
    const services = offered.get(id);
    return services === undefined || services === "" ? short : `${short} (${services})`;
  };
  return {
    name: "mesh",
    title: "mesh",
    hosts: [...hosts, ...(isAnywhere ? [elsewhere] : [])].map((name) => ({
      name,
      places: places
        .filter(({ host = "" }) => (host === "" ? elsewhere : host) === name)
        .map((node) => ({ id: node.id, label: labelOf(node) })),
    })),
    routers: [],
    links: [],
    wires: wires.map(({ wire, client, endpoint, service, path, state }) => ({
      ends: [client, endpoint],
      names: [wire, endpoint],
      path: state === "up" ? path : `${path}, ${state}`,
      label: `${service}: ${path}`,
    })),
  };
}

/** The first one of each key. */
function unique<T>(all: readonly T[], keyOf: (each: T) => string): T[] {
  const seen = new Set<string>();
  return all.filter((each) => !seen.has(keyOf(each)) && seen.add(keyOf(each)));
}
