/** Addresses of the wires of an endpoint. */
import type { AgentParts } from "../../attachments/parts.ts";
import type { AddressOptions } from "../../elements/context/ipam.ts";
import { formatPrefix } from "../../net/ip.ts";
import type { Netns } from "../../kernel/kernel.ts";

/** From `pools`, without what `netns` has already and what the wish excludes at the time. */
export function addressesIn(
  netns: Netns,
  { claims }: Pick<AgentParts, "claims">,
  given: Pick<AddressOptions, "pools" | "policy"> & { readonly excludedPrefixes: () => readonly string[] },
): AddressOptions {
  const { excludedPrefixes, ...rest } = given;
  return {
    ...rest,
    excluded: async (wireId) => [
      ...excludedPrefixes(),
      ...(await claims.held(netns, wireId)).map(formatPrefix),
    ],
  };
}
