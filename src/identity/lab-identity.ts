/** The identity of a lab, for code that builds a host by hand: simulations, benches and tests. */
import { LAB_IDENTITY, loadIdentity } from "./identities.ts";
import type { Identity } from "./identity.ts";
import type { IdentityOptions } from "./identity-kind.ts";

const open = await loadIdentity({ kind: LAB_IDENTITY, value: undefined });

export function labIdentity(world: IdentityOptions["world"], lifetimeMs?: number): Identity {
  return open({ world, lifetimeMs });
}
