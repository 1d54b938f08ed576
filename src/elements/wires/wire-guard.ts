/**
 * Sets whether the data path checks the packets that the sides of a wire send. The endpoint's service decides, and the
 * context carries the decision to the hosts of both sides.
 */
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { wireGuard, type WireGuard } from "../../forwarder/wire.ts";

/** Netloom's own key of the extra context: "true" or "false". */
const GUARD = "netloom.guard";

/** The context entry of an endpoint whose document sets `guard`. */
export function guardContext(guard: boolean | undefined): Readonly<Record<string, string>> {
  return guard === undefined ? {} : { [GUARD]: String(guard) };
}

export function guardOf({ context }: Connection): { readonly guard?: WireGuard } {
  const said = context?.extraContext[GUARD];
  return wireGuard(said === "true" ? true : said === "false" ? false : undefined);
}

/** Drops the guard that a client sends back: only the endpoint decides. */
export function forgetGuard({ context }: Pick<Connection, "context">): void {
  if (context) delete context.extraContext[GUARD];
}
