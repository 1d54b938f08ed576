import type { WorkloadPlace } from "../mechanisms/mechanism-type.ts";
import type { Found } from "../resolvers/resolver.ts";

/** Where a workload is, for mechanisms. */
export function placeOf(found: Found): WorkloadPlace {
  const { netns } = found.identity;
  return found.type === "netns" ? { netns } : { netns, port: { device: found.device, index: found.ifindex } };
}
