/** Lifetimes of registrations in a shared store. Upstream: sdk/pkg/registry/common/expire */
import type { NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import { type Call, memoryKey } from "../../chain/call.ts";
import type { Element } from "../../chain/element.ts";
import type { Identity } from "../../identity/identity.ts";
import { setExpiration } from "../entry-kind.ts";
import { type EndpointLease, hostLeaseName, type LeaseBook } from "./lease-book.ts";
import { leaseOf } from "./lease-metadata.ts";
import { lifetimeMs } from "./lifetime.ts";

const LEASE = memoryKey<EndpointLease>("expire-in-store: lease");

/** The lease of an endpoint, set by `expireInStore`. A service has none. */
export function leaseOfCall(call: Call): EndpointLease | undefined {
  return call.memory.get(LEASE);
}

/**
 * Guarantees
 * - An endpoint expires, within a hundredth, at the earliest of its own expiration time, its caller's token, this process's
 *   token, and the lease of the registry or of its host. The answer has the time.
 * - The store ends the endpoint, whichever registries run then.
 */
export function expireInStore({
  book,
  identity,
}: {
  readonly book: LeaseBook;
  readonly identity: Identity;
}): Element<NetworkServiceEndpoint, NetworkServiceEndpoint> {
  return {
    name: "expire",
    async request(call, endpoint, next) {
      const mostMs = lifetimeMs(call, endpoint, { identity, mostMs: book.leaseMs });
      const hostLease = hostLeaseName(call.peer.principal, leaseOf(call.metadata));
      call.memory.set(LEASE, book.leaseFor(endpoint.name, mostMs, hostLease));
      const registered = await next(endpoint);
      setExpiration(registered, book.expirations()(registered.name));
      return registered;
    },
    close: (_call, endpoint, next) => next(endpoint),
  };
}
