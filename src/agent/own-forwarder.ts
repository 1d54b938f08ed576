/** The registration of the forwarder in an agent's process. */
import { create } from "@bufbuild/protobuf";
import { REQUEST_MS } from "../attachments/parts.ts";
import {
  type NetworkServiceEndpoint,
  NetworkServiceEndpointSchema,
  NetworkServiceLabelsSchema,
} from "../api/gen/nsm/registry_pb.js";
import type { EndpointRegistryHop } from "../api/hops.ts";
import { backoffMs } from "../async/backoff.ts";
import { FORWARDERS } from "../elements/discovery/forwarders.ts";
import { NetloomError } from "../errors/errors.ts";
import type { World } from "../world/world.ts";

export function ownForwarder(host: string): NetworkServiceEndpoint {
  return create(NetworkServiceEndpointSchema, {
    name: `forwarder-${host}`,
    url: "self:forwarder",
    networkServiceNames: [FORWARDERS],
    networkServiceLabels: {
      [FORWARDERS]: create(NetworkServiceLabelsSchema, { labels: { p2p: "true", nodeName: host } }),
    },
  });
}

/** Registers the forwarder behind its manager, as upstream does, so that wires of other hosts can pass this host. */
export function registerForwarder(world: World, endpoints: EndpointRegistryHop): void {
  const { host, clock, random, retries } = world;
  const what = `register forwarder-${host}`;
  world.scope.spawn(what, async (scope) => {
    for (let failures = 1; !scope.ended; failures++) {
      try {
        await endpoints.request({ scope, deadlineMs: clock.monotonicMs() + REQUEST_MS }, ownForwarder(host));
        return retries.over(what);
      } catch (error) {
        if (!(error instanceof NetloomError) || scope.ended) throw error;
        retries.failed(what, error);
        await clock.sleep(backoffMs(failures, random.fraction(what, failures)), scope);
      }
    }
  });
}
