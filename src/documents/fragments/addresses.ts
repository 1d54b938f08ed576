/** Addresses of the wires of an endpoint. */
import type { AgentParts } from "../../attachments/parts.ts";
import type { AddressOptions } from "../../elements/context/ipam.ts";
import { formatPrefix } from "../../net/ip.ts";
import type { WorkloadPlace } from "../../mechanisms/mechanism-type.ts";

/** Addresses from `pools`, except those that the workload has already and those that the spec excludes at that time. */
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
      // The addresses behind a port are not known.
      ...(place.port ? [] : await claims.held(place.netns, wireId)).map(formatPrefix),
    ],
  };
}
