/** Addresses of the wires of an endpoint. */
import type { AgentParts } from "../../attachments/parts.ts";
import type { AddressOptions } from "../../elements/context/ipam.ts";
import { formatPrefix } from "../../net/ip.ts";
import type { WorkloadPlace } from "../../mechanisms/mechanism-type.ts";

/** From `pools`, without what the workload has already and what the wish excludes at the time. */
export function addressesIn(
  place: WorkloadPlace,
  { claims }: Pick<AgentParts, "claims">,
  given: Pick<AddressOptions, "pools" | "policy"> & { readonly excludedPrefixes: () => readonly string[] },
): AddressOptions {
  const { excludedPrefixes, ...rest } = given;
  return {
    ...rest,
    excluded: async (wireId) => [
      ...excludedPrefixes(),
      // What is behind a port is nobody's to know.
      ...(place.port ? [] : await claims.held(place.netns, wireId)).map(formatPrefix),
    ],
  };
}
