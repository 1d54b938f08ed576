/**
 * How a host keeps many endpoints by one sign of life: it registers them with this text beside the message, and then
 * calls netloom.registry.v1.Registry/KeepAlive with the same name. Other registries do not know it and pay no heed.
 */
import { NetloomError } from "../../errors/errors.ts";
import type { Metadata } from "../../world/hops.ts";

const LEASE = "netloom-lease";
const MAX_LENGTH = 256;

/** The name of the lease that a registration comes under; empty if it has its own. */
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
