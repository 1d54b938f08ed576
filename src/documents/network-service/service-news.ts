/** Watches the registry entry of a service. */
import { create } from "@bufbuild/protobuf";
import {
  NetworkServiceQuerySchema,
  NetworkServiceSchema,
  type NetworkServiceQuery,
  type NetworkServiceResponse,
} from "../../api/gen/nsm/registry_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import type { Scope } from "../../async/scope.ts";
import type { AgentParts } from "../../attachments/parts.ts";

export function serviceQuery(name: string, watch: boolean): NetworkServiceQuery {
  return create(NetworkServiceQuerySchema, { watch, networkService: create(NetworkServiceSchema, { name }) });
}

/** Resolves when `isIt` accepts a registry message about the service, or `scope` ends. */
export async function serviceNews(
  { world, services }: Pick<AgentParts, "world" | "services">,
  scope: Scope,
  name: string,
  isIt: (news: NetworkServiceResponse) => boolean,
): Promise<void> {
  const answers = services.find({ scope }, serviceQuery(name, true));
  try {
    for await (const news of answers.within(scope))
      if (news.networkService?.name === name && isIt(news)) return;
    await scope.done;
  } catch (error) {
    if (!(error instanceof NetloomError)) throw error;
    world.log.debug("a service cannot be watched now", { service: name, error: error.message });
    await scope.done;
  }
}
