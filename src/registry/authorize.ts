/**
 * May the caller register that? Upstream: sdk/pkg/registry/common/authorize, whose rule for names is kept here by what
 * is stored and not by what a process has seen.
 */
import type { Call } from "../chain/call.ts";
import type { Element } from "../chain/element.ts";
import type { Identity } from "../identity/identity.ts";
import { NetloomError } from "../errors/errors.ts";
import { isSamePrincipal, type Principal, principalText } from "../world/peer.ts";
import { pathOf } from "./registry-path.ts";

export interface AuthorizeOptions<T> {
  readonly identity: Identity;
  /** Absent: names are somebody else's to guard. */
  readonly names?: {
    readonly noun: string;
    nameOf(entry: T): string;
    /** Whom a registered name belongs to. */
    ownerOf(name: string): Principal | undefined;
    /** Where a thing is, and where the registered one of a name is: empty if that is not known. */
    urlOf(entry: T): string;
    registeredUrlOf(name: string): string;
    /** May anybody say this, although the name is another's? */
    isHarmless(entry: T): boolean;
  };
}

/** A name belongs to the peer that registered it, until it is unregistered or expires (PERMISSION_DENIED). */
export function authorize<T>({ identity, names }: AuthorizeOptions<T>): Element<T, T> {
  const check = (call: Call, entry: T, isHarmless: boolean): void => {
    if (call.reason === "lost") return;
    identity.authorize(pathOf(call), call.peer);
    const name = names?.nameOf(entry) ?? "";
    const owner = names?.ownerOf(name);
    if (!names || owner === undefined || isSamePrincipal(owner, call.peer.principal) || isHarmless) return;
    throw new NetloomError(
      "PERMISSION_DENIED",
      `register ${names.noun} ${name} of ${at(call.peer.principal, names.urlOf(entry))}: it belongs to ${at(owner, names.registeredUrlOf(name))}`,
      {
        topic: "NL-305",
        hint: "choose another name, or unregister it where it was registered; two hosts of one name? `netloom agent --name` gives each its own",
      },
    );
  };
  return {
    name: "authorize",
    async request(call, entry, next) {
      check(call, entry, names?.isHarmless(entry) ?? true);
      return await next(entry);
    },
    async close(call, entry, next) {
      check(call, entry, false);
      await next(entry);
    },
  };
}

/** A peer, and under which URL it is reached. */
function at(peer: Principal, url: string): string {
  return url === "" ? principalText(peer) : `${principalText(peer)} (${url})`;
}
