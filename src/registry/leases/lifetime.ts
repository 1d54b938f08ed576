import type { NetworkServiceEndpoint } from "../../api/gen/nsm/registry_pb.js";
import type { Call } from "../../chain/call.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Identity } from "../../identity/identity.ts";
import { expirationMs } from "../entry-kind.ts";

/** Lifetime of an endpoint after a sign of life, if nothing else is set. */
export const DEFAULT_LEASE_MS = 60_000;

/**
 * The time that an endpoint may live: until the earliest of its own expiration time, its caller's token, this process's token,
 * and `mostMs`. INVALID_ARGUMENT if that has passed.
 */
export function lifetimeMs(
  call: Call,
  endpoint: NetworkServiceEndpoint,
  { identity, mostMs }: { readonly identity: Identity; readonly mostMs: number },
): number {
  const endsAtMs = Math.min(
    expirationMs(endpoint) ?? Infinity,
    identity.tokenOf(call.metadata ?? {})?.expiresAtMs ?? Infinity,
    identity.token(call.peer)?.expiresAtMs ?? Infinity,
  );
  const leftMs = endsAtMs - call.world.clock.wallMs();
  if (leftMs > 0) return Math.min(leftMs, mostMs);
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `register endpoint ${endpoint.name}: its expiration time passed ${Math.round(-leftMs / 1000)} s ago`,
    { hint: "leave the expiration time to the registry, or compare the clocks of the two hosts" },
  );
}
