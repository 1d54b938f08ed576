/**
 * Whether what the sides of a wire send is checked: the endpoint's service decides, and says it in the context, so that the hosts of
 * both sides know.
 */
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { wireGuard, type WireGuard } from "../../forwarder/wire.ts";

/** Key of the extra context, of our own: "true" or "false". */
const GUARD = "netloom.guard";

/** What an endpoint says whose document says `guard`. */
export function guardContext(guard: boolean | undefined): Readonly<Record<string, string>> {
  return guard === undefined ? {} : { [GUARD]: String(guard) };
}

export function guardOf({ context }: Connection): { readonly guard?: WireGuard } {
  const said = context?.extraContext[GUARD];
  return wireGuard(said === "true" ? true : said === "false" ? false : undefined);
}

/** A client has no say: what it brings back is what it was told. */
export function forgetGuard({ context }: Pick<Connection, "context">): void {
  if (context) delete context.extraContext[GUARD];
}
