/**
 * The rules that hold everywhere. Each says why it refuses, or says nothing; what no rule refuses is allowed. An identity
 * adds rules of its own: those of the tokens in a path.
 */
import { isLocal, isSamePrincipal } from "../world/peer.ts";
import { type Authorize, placeOf, type Question, type Refusal } from "./authorize.ts";

export interface PolicyRule {
  readonly name: string;
  /** Why it refuses; `undefined` if it does not. Pure. */
  refusal(question: Question): Omit<Refusal, "rule"> | undefined;
}

/** What somebody has established, asked for or registered nobody else changes, closes or takes over. */
const OWNED: Readonly<PolicyRule> = {
  name: "owned",
  refusal: ({ action, resource, principal }) => {
    const isAsked = !["monitor", "see-tokens"].includes(action);
    if (!isAsked || !("owner" in resource) || !resource.owner) return undefined;
    if (isSamePrincipal(resource.owner, principal)) return undefined;
    // Who it is, is nobody's business but in a registry, where two hosts of one name have to find each other.
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

/** Who is not on this host has no business in its namespaces. */
const LOCAL_MECHANISMS: Readonly<PolicyRule> = {
  name: "local-mechanisms",
  refusal: ({ resource, context }) =>
    resource.kind === "mechanism" && resource.isForHost && !isLocal(context.peer)
      ? { code: "PERMISSION_DENIED", reason: `${resource.type} is for callers on this host` }
      : undefined,
};

/** A token vouches for who shows it: it is shown to whose connection it is for, and to this process. */
const OWN_TOKENS: Readonly<PolicyRule> = {
  name: "own-tokens",
  refusal: ({ action, resource, principal }) => {
    if (action !== "see-tokens" || principal.kind === "self") return undefined;
    if (resource.owner && isSamePrincipal(resource.owner, principal)) return undefined;
    return { code: "PERMISSION_DENIED", reason: "its tokens are for who has established it" };
  },
};

/** A host is commanded from itself: who may use the socket is who may open its file. */
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

/** Allows what none of `rules` refuses. The first that refuses decides. */
export function authorizeBy(rules: readonly PolicyRule[]): Authorize {
  return (question) => {
    for (const rule of rules) {
      const refusal = rule.refusal(question);
      if (refusal) return { rule: rule.name, ...refusal };
    }
    return undefined;
  };
}
