/**
 * May the caller register, or look for, that? Upstream: sdk/pkg/registry/common/authorize, whose rule for names is kept here by
 * what is stored and not by what a process has seen.
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
  /** What is registered. Absent: names are somebody else's to guard. */
  readonly registered?: {
    /** Whom a registered name belongs to. */
    ownerOf(name: string): Principal | undefined;
    /** Under which URL it is reached. */
    urlOf(name: string): string | undefined;
    /** May anybody say this, although the name is another's? Default: nobody may. */
    isHarmless?(entry: T): boolean;
  };
}

/** Asks about each registration, with the owner of its name where that is at stake. A loss is nobody's wish, and not asked about. */
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

/** Throws if `peer` may not look for what `query` asks for. */
export function mayFind<T, Q>(
  decide: Authorize,
  kind: Pick<EntryKind<T, Q, unknown>, "noun" | "keysOf" | "queryOf">,
  { peer, query }: { readonly peer: Peer; readonly query: Q },
): void {
  const { name, services } = kind.keysOf(kind.queryOf(query).like);
  mustAllow(decide, question(peer, "find", { kind: `${kind.noun}s`, name, services }));
}
