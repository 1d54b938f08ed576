/** How long a registration lasts. Upstream: sdk/pkg/registry/common/expire */
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import type { Call } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import type { Identity } from "../identity/identity.ts";
import { expirationMs } from "./entry-kind.ts";
import { leaseGroup, leaseOf } from "./lease-metadata.ts";
import type { Leases } from "./leases.ts";

export interface ExpireOptions {
  readonly leases: Leases;
  readonly identity: Identity;
  /** Lasts until it is unregistered. Default: nothing does. */
  readonly isKept?: (call: Call) => boolean;
}

/**
 * Guarantees
 * - An endpoint expires at the earliest of what it says itself, its caller's token, this process's token, and the lease.
 *   The answer says when.
 * - A registration that fails leaves the lease of what was registered before, and none where nothing was.
 */
export function expire({
  leases,
  identity,
  isKept = () => false,
}: ExpireOptions): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "expire",
    async request(call, endpoint, next) {
      const { name } = endpoint;
      if (isKept(call)) {
        leases.drop(name);
        return await next(endpoint);
      }
      const tokens = [identity.tokenOf(call.metadata ?? {}), identity.token(call.peer)];
      const ends = [expirationMs(endpoint), ...tokens.map((token) => token?.expiresAtMs)];
      const ttlMs = leases.ttlMs(name, Math.min(...ends.map((end) => end ?? Infinity)));
      const isNew = !leases.has(name);
      leases.renew(name, { ttlMs, group: leaseGroup(call.peer.principal, leaseOf(call.metadata)) });
      setExpirationTime(endpoint, leases);
      try {
        const registered = await next(endpoint);
        setExpirationTime(registered, leases);
        return registered;
      } catch (error) {
        if (isNew) leases.drop(name);
        throw error;
      }
    },
    async close(_call, endpoint, next) {
      await next(endpoint);
      leases.drop(endpoint.name);
    },
  };
}

function setExpirationTime(endpoint: NetworkServiceEndpoint, leases: Leases): void {
  const time = leases.expirationTime(endpoint.name);
  if (time) endpoint.expirationTime = time;
  else delete endpoint.expirationTime;
}
