/** Waits for an endpoint, for those whom none could serve. */
import type { AgentParts } from "../../attachments/parts.ts";
import { create } from "@bufbuild/protobuf";
import {
  NetworkServiceEndpointQuerySchema,
  NetworkServiceEndpointSchema,
} from "../../api/gen/nsm/registry_pb.js";
import type { EndpointRegistryHop } from "../../api/hops.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";

/** Resolves when an endpoint of `service` is registered that was not there, or one that was there changes, or `scope` ends. */
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
    // What is there already comes first, once.
    await each(endpoints.find({ scope }, query(true)), scope, (name) => there.delete(name));
  } catch (error) {
    // Without a registry to watch, time has to do.
    if (!(error instanceof NetloomError)) throw error;
    world.log.debug("endpoints cannot be followed now", { error: error.message });
    await scope.done;
  }
}

/** Reads answers as long as `goesOn` says so of the endpoint's name. */
async function each(
  answers: ReturnType<EndpointRegistryHop["find"]>,
  scope: Scope,
  goesOn: (name: string) => boolean,
): Promise<void> {
  for await (const news of answers.within(scope))
    if (!goesOn(news.networkServiceEndpoint?.name ?? "")) return;
}
