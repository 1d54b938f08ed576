/**
 * Converts the entries that versions before 0.1.0 left in a store: endpoints without a store lease, and their hosts as a text
 * beside them. Each gets today's form, with one lease to give a sign of life. To be removed when no file of such a version is
 * expected any more.
 */
import { fromBinary } from "@bufbuild/protobuf";
import { RegistrationSchema } from "../api/gen/netloom/registry_pb.js";
import type { NetworkServiceEndpoint } from "../api/gen/nsm/registry_pb.js";
import { NetloomError } from "../errors/errors.ts";
import type { Store } from "../world/store.ts";
import { type HostNames, readHost } from "./names/host-names.ts";
import { hostLeaseName } from "./leases/lease-book.ts";
import type { Registered, Registrations } from "./registrations.ts";

/** Writes in flight at once. */
const AT_ONCE = 1000;

export interface TakeOverOptions {
  readonly store: Store;
  readonly endpoints: Registrations<NetworkServiceEndpoint>;
  readonly hosts: HostNames;
  readonly leaseMs: number;
}

/** Rejects if the store takes nothing. Changes that another registry makes meanwhile are left as they are. */
export async function takeOver(options: TakeOverOptions): Promise<void> {
  const old = [...options.endpoints.catalog.entries()].filter(({ lease }) => lease === undefined);
  for (let at = 0; at < old.length; at += AT_ONCE)
    await Promise.all(old.slice(at, at + AT_ONCE).map((each) => takeOverOne(options, each)));
}

async function takeOverOne(
  { store, endpoints, hosts, leaseMs }: TakeOverOptions,
  { name, owner }: Registered,
): Promise<void> {
  const entry = await store.get(endpoints.prefix + name);
  if (!entry) return;
  const { oldLease, oldHost } = fromBinary(RegistrationSchema, entry.value);
  const host = readHost(oldHost);
  const claimant = { peer: owner, lease: oldLease };
  await unlessOvertaken(() =>
    endpoints.setLease(name, { hostLease: hostLeaseName(owner, oldLease) ?? "", leaseMs }),
  );
  if (host && !hosts.isHolder(host, claimant)) await unlessOvertaken(() => hosts.claim(host, claimant));
}

async function unlessOvertaken(write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    const isTheirs = error instanceof NetloomError && ["ABORTED", "PERMISSION_DENIED"].includes(error.code);
    if (!isTheirs) throw error;
  }
}
