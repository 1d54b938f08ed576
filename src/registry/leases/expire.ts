/** Lifetimes of registrations. Upstream: sdk/pkg/registry/common/expire */
import type { NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import type { Call } from "../../chain/call.ts";
import type { Element } from "../../chain/element.ts";
import type { Identity } from "../../identity/identity.ts";
import { setExpiration } from "../entry-kind.ts";
import type { Leases } from "./leases.ts";
import { DEFAULT_LEASE_MS, lifetimeMs } from "./lifetime.ts";

export interface ExpireOptions {
  readonly leases: Leases;
  readonly identity: Identity;
  /** The longest lease. Default: 60,000 ms. */
  readonly leaseMs?: number | undefined;
  /** Whether a registration lasts until it is unregistered. Default: none does. */
  readonly isKept?: (call: Call) => boolean;
}

/**
 * Guarantees
 * - An endpoint expires at the earliest of its own expiration time, its caller's token, this process's token, and the lease. The
 *   answer has the time.
 * - After a failed registration an earlier registration still has its lease, renewed; without one there is no lease.
 */
export function expire({
  leases,
  identity,
  leaseMs = DEFAULT_LEASE_MS,
  isKept = () => false,
}: ExpireOptions): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "expire",
    async request(call, endpoint, next) {
      const { name } = endpoint;
      if (isKept(call)) {
        const registered = await next(endpoint);
        leases.drop(name);
        return registered;
      }
      const ttlMs = lifetimeMs(call, endpoint, { identity, mostMs: leaseMs });
      const isNew = !leases.has(name);
      leases.renew(name, ttlMs);
      setExpiration(endpoint, leases.expirations()(name));
      try {
        const registered = await next(endpoint);
        setExpiration(registered, leases.expirations()(name));
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
