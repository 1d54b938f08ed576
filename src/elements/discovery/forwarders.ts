import type { NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";

/** The network service that forwarders register for, each behind the manager of its host. */
export const FORWARDERS = "forwarder";

export function isForwarder({ networkServiceNames }: NetworkServiceEndpoint): boolean {
  return networkServiceNames.includes(FORWARDERS);
}
