/**
 * Keeps many endpoints of a host alive by one call: the host registers them with this text beside the message, and then calls
 * netloom.registry.v1.Registry/KeepAlive with the same name. Other registries ignore the text.
 */
import { NetloomError } from "../../errors/errors.ts";
import type { Metadata } from "../../world/hops.ts";

const LEASE = "netloom-lease";
const MAX_LENGTH = 256;

/** Name of the lease of a registration; empty if it has its own. */
export function leaseOf(metadata: Metadata | undefined): string {
  const name = metadata?.[LEASE] ?? "";
  if (name.length <= MAX_LENGTH) return name;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `register: the name of its lease has more than ${MAX_LENGTH} bytes`,
  );
}

export function withLease(metadata: Metadata | undefined, name: string): Metadata {
  return { ...metadata, [LEASE]: name };
}
