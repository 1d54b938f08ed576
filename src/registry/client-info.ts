/** Adds labels about the place of an endpoint. Upstream: sdk/pkg/registry/common/clientinfo */
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Element } from "../chain/element.ts";
import type { Labels } from "./matching/match.ts";

/** Adds `labels` to every labelled service of an endpoint; labels of the endpoint win. */
export function clientInfo(labels: Labels): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "client-info",
    request(_call, endpoint, next) {
      for (const own of Object.values(endpoint.networkServiceLabels))
        own.labels = { ...labels, ...own.labels };
      return next(endpoint);
    },
  };
}
