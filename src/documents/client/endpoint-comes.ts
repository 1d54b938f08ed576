/** Waits for a new endpoint after a request that no endpoint could serve. */
import type { AgentParts } from "../../attachments/parts.ts";
import { create } from "@bufbuild/protobuf";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { EndpointRegistryHop } from "../../api/hops.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";

/** Resolves when a new endpoint of `service` is registered, a known endpoint changes, or `scope` ends. */
export async function endpointComes(
  { world, endpoints }: Pick<AgentParts, "world" | "endpoints">,
  service: string,
  scope: Scope,
): Promise<void> {
  const query = (watch: boolean) =>
    create(NetworkServiceEndpointQuerySchema, {
      watch,
      networkServiceEndpoint: create(NetworkServiceEndpointSchema, { networkServiceNames: [service] }),
    });
  try {
    const there = new Set<string>();
    await each(endpoints.find({ scope }, query(false)), scope, (name) => there.add(name) !== undefined);
    // The first answers of the watch are the endpoints that are registered already, once each.
    await each(endpoints.find({ scope }, query(true)), scope, (name) => there.delete(name));
  } catch (error) {
    // Without a registry to watch, the caller tries again after its delay.
    if (!(error instanceof NetloomError)) throw error;
    world.log.debug("endpoints cannot be watched now", { error: error.message });
    await scope.done;
  }
}

/** Reads answers while `goesOn` returns true for the endpoint's name. */
async function each(
  answers: ReturnType<EndpointRegistryHop["find"]>,
  scope: Scope,
  goesOn: (name: string) => boolean,
): Promise<void> {
  for await (const news of answers.within(scope))
    if (!goesOn(news.networkServiceEndpoint?.name ?? "")) return;
}
