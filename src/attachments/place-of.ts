import type { WorkloadPlace } from "../mechanisms/mechanism-type.ts";
import type { Found } from "../resolvers/resolver.ts";

/** The place of a workload, in the form that mechanisms use. */
export function placeOf(found: Found): WorkloadPlace {
  const { netns } = found.identity;
  return found.type === "netns" ? { netns } : { netns, port: { device: found.device, index: found.ifindex } };
}
