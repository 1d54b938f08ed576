/**
 * Authorizes registrations and queries. Upstream: sdk/pkg/registry/common/authorize, whose rule for names is checked here against
 * the stored entries, not against the calls that a process has seen.
 */
import type { Call } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import { type Authorize, mustAllow, question } from "../policy/authorize.ts";
import type { Peer, Principal } from "../world/peer.ts";
import type { EntryKind } from "./entry-kind.ts";
import { pathOfCall } from "./registry-path.ts";

export interface AuthorizeOptions<T> {
  readonly authorize: Authorize;
  readonly kind: Pick<EntryKind<T, unknown, unknown>, "noun" | "keysOf">;
  /** The registered entries. Absent: another process guards the names. */
  readonly registered?: {
    /** The owner of a registered name. */
    ownerOf(name: string): Principal | undefined;
    /** The URL at which a registered name is reached. */
    urlOf(name: string): string | undefined;
    /** Whether any peer may register this entry, even if the name has another owner. Default: no. */
    isHarmless?(entry: T): boolean;
  };
}

/**
 * Authorizes each registration, with the owner of its name if the call would change it. A close because of a loss is not
 * authorized: no peer asked for it.
 */
export function authorize<T>({ authorize: decide, kind, registered }: AuthorizeOptions<T>): Element<T, T> {
  const ask = (call: Call, action: "register" | "unregister", entry: T): void => {
    const { name, url } = kind.keysOf(entry);
    const isHarmless = action === "register" && (registered?.isHarmless?.(entry) ?? false);
    const owner = isHarmless ? undefined : registered?.ownerOf(name);
    const resource = { kind: kind.noun, name, url, owner, ownerUrl: registered?.urlOf(name) };
    mustAllow(decide, question(call.peer, action, resource, pathOfCall(call)));
  };
  return {
    name: "authorize",
    async request(call, entry, next) {
      ask(call, "register", entry);
      return await next(entry);
    },
    async close(call, entry, next) {
      if (call.reason !== "lost") ask(call, "unregister", entry);
      await next(entry);
    },
  };
}

/** Throws if `peer` may not make this query. */
export function mayFind<T, Q>(
  decide: Authorize,
  kind: Pick<EntryKind<T, Q, unknown>, "noun" | "keysOf" | "queryOf">,
  { peer, query }: { readonly peer: Peer; readonly query: Q },
): void {
  const { name, services } = kind.keysOf(kind.queryOf(query).like);
  mustAllow(decide, question(peer, "find", { kind: `${kind.noun}s`, name, services }));
}
