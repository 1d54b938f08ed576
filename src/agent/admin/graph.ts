/** The mesh as the registry shows it, and the wires of this host. */
import { create } from "@bufbuild/protobuf";
import {
  GraphEndpointSchema,
  GraphHostSchema,
  type GraphResponse,
  GraphResponseSchema,
  GraphServiceSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
  NetworkServiceQuerySchema,
  NetworkServiceSchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { CallOptions } from "../../api/hops.ts";
import { isForwarder } from "../../elements/discovery/forwarders.ts";
import type { AdminParts } from "./admin-parts.ts";
import { describeWires } from "./wires.ts";

export async function graph(parts: AdminParts, call: CallOptions): Promise<GraphResponse> {
  const { world, registries, url: ownUrl } = parts;
  const services = await registries.services
    .find(call, create(NetworkServiceQuerySchema, { networkService: create(NetworkServiceSchema) }))
    .all();
  const endpoints = await registries.endpoints
    .find(
      call,
      create(NetworkServiceEndpointQuerySchema, {
        networkServiceEndpoint: create(NetworkServiceEndpointSchema),
      }),
    )
    .all();
  const shown = endpoints.flatMap(({ networkServiceEndpoint: each }) => {
    if (!each) return [];
    const isOwn = !each.url.startsWith("tcp:") || each.url === ownUrl;
    const named = Object.values(each.networkServiceLabels).map(({ labels }) => labels["nodeName"]);
    const host = isOwn ? world.host : (named.find((name) => name !== undefined) ?? "");
    const { name, networkServiceNames } = each;
    const url = isOwn ? ownUrl : each.url;
    return [create(GraphEndpointSchema, { name, host, url, services: networkServiceNames })];
  });
  // Forwarders are registered for their hosts, and serve no workload.
  const forwarders = new Set(
    endpoints.flatMap(({ networkServiceEndpoint: each }) => (each && isForwarder(each) ? [each.name] : [])),
  );
  const hosts = new Map([[ownUrl, world.host], ...shown.map(({ url, host }) => [url, host] as const)]);
  return create(GraphResponseSchema, {
    host: world.host,
    services: services.flatMap(({ networkService: each }) =>
      each ? [create(GraphServiceSchema, { name: each.name, payload: each.payload })] : [],
    ),
    endpoints: shown.filter(({ name }) => !forwarders.has(name)),
    wires: describeWires(parts),
    hosts: [...hosts].map(([url, name]) => create(GraphHostSchema, { name, url })),
  });
}
