/**
 * The rules that hold everywhere. Each rule returns a reason to refuse, or nothing; anything that no rule refuses is allowed. An
 * identity adds rules of its own, about the tokens in a path.
 */
import { isLocal, isSamePrincipal } from "../world/peer.ts";
import { type Authorize, placeOf, type Question, type Refusal } from "./authorize.ts";

export interface PolicyRule {
  readonly name: string;
  /** The refusal, or `undefined`. Pure. */
  refusal(question: Question): Omit<Refusal, "rule"> | undefined;
}

/** Only its owner may change, close or take over a connection, a wire or an entry. */
const OWNED: Readonly<PolicyRule> = {
  name: "owned",
  refusal: ({ action, resource, principal }) => {
    const isAsked = !["monitor", "see-tokens"].includes(action);
    if (!isAsked || !("owner" in resource) || !resource.owner) return undefined;
    if (isSamePrincipal(resource.owner, principal)) return undefined;
    // The owner stays private, except in a registry, where two hosts with the same name have to find each other.
    if (resource.kind === "connection" || resource.kind === "wire")
      return { code: "PERMISSION_DENIED", reason: "it belongs to another peer", topic: "NL-305" };
    return {
      code: "PERMISSION_DENIED",
      reason: `it belongs to ${placeOf(resource.owner, resource.ownerUrl ?? "")}`,
      topic: "NL-305",
      hint: "choose another name, or unregister it where it was registered; two hosts of one name? `netloom agent --name` gives each its own",
    };
  },
};

/** Only callers on this host may use mechanisms that lead into its namespaces. */
const LOCAL_MECHANISMS: Readonly<PolicyRule> = {
  name: "local-mechanisms",
  refusal: ({ resource, context }) =>
    resource.kind === "mechanism" && resource.isForHost && !isLocal(context.peer)
      ? { code: "PERMISSION_DENIED", reason: `${resource.type} is for callers on this host` }
      : undefined,
};

/** A token proves the identity of whoever shows it: only the connection's owner and this process may see it. */
const OWN_TOKENS: Readonly<PolicyRule> = {
  name: "own-tokens",
  refusal: ({ action, resource, principal }) => {
    if (action !== "see-tokens" || principal.kind === "self") return undefined;
    if (resource.owner && isSamePrincipal(resource.owner, principal)) return undefined;
    return { code: "PERMISSION_DENIED", reason: "its tokens are for who has established it" };
  },
};

/** A host is commanded only from itself: the permissions of the socket's file decide who may. */
const COMMANDED_LOCALLY: Readonly<PolicyRule> = {
  name: "commanded-locally",
  refusal: ({ resource, context }) =>
    resource.kind === "host" && !isLocal(context.peer)
      ? {
          code: "PERMISSION_DENIED",
          reason: "a host is commanded from itself",
          hint: "run the command there, on the agent's socket",
        }
      : undefined,
};

export const RULES: readonly PolicyRule[] = [OWNED, LOCAL_MECHANISMS, OWN_TOKENS, COMMANDED_LOCALLY];

/** Allows everything that none of `rules` refuses. The first rule that refuses decides. */
export function authorizeBy(rules: readonly PolicyRule[]): Authorize {
  return (question) => {
    for (const rule of rules) {
      const refusal = rule.refusal(question);
      if (refusal) return { rule: rule.name, ...refusal };
    }
    return undefined;
  };
}
