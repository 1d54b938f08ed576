/** All kinds of identities. A new one is a folder here and a line in this list. */
import { NetloomError } from "../errors/errors.ts";
import { authorizeBy, RULES } from "../policy/rules.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Identity } from "./identity.ts";
import type { IdentityKind, IdentityOptions } from "./identity-kind.ts";
import { insecureCredentials, insecureKind } from "./insecure/insecure-kind.ts";

export const IDENTITIES = [insecureKind] as const satisfies readonly IdentityKind[];

/** The identity of a lab's daemons, and of simulations, benches and tests that choose no other. */
export const LAB_IDENTITY: Readonly<IdentityKind> = insecureKind;

/** The command-line words that select it. */
export const LAB_WORDS: readonly string[] = [LAB_IDENTITY.option.flags];

/** Proves nothing: for sockets of this host, whose peers the kernel identifies, as when people command an agent. */
export const PLAIN_CREDENTIALS: Readonly<Credentials> = insecureCredentials;

/** A chosen identity kind, with the value of its option. */
export interface ChosenIdentity {
  readonly kind: IdentityKind;
  readonly value: string | undefined;
}

/** Starts an identity for a world. */
export type OpenIdentity = (options: Omit<IdentityOptions, "value">) => Identity;

/** Loads an identity kind; its rules are added to the rules that hold everywhere. */
export async function loadIdentity({ kind, value }: ChosenIdentity): Promise<OpenIdentity> {
  const open = await kind.load();
  return (options) => {
    const { rules, ...identity } = open({ ...options, value });
    return { ...identity, authorize: authorizeBy([...RULES, ...rules]) };
  };
}

/**
 * Returns the only kind that `given` has a value for. FAILED_PRECONDITION for `attempt` if there is none: an identity is never
 * chosen by leaving something out. INVALID_ARGUMENT if there are several.
 */
export function chooseIdentity(
  attempt: string,
  given: (kind: IdentityKind) => string | boolean | undefined,
  kinds: readonly IdentityKind[] = IDENTITIES,
): ChosenIdentity {
  const chosen = kinds.flatMap((kind) => {
    const value = given(kind);
    if (value === undefined || value === false) return [];
    return [{ kind, value: value === true ? undefined : value }];
  });
  const [first, second] = chosen;
  if (second) {
    const flags = chosen.map(({ kind }) => kind.option.flags).join(", ");
    throw new NetloomError("INVALID_ARGUMENT", `${attempt}: ${flags}: a process is somebody in one way only`);
  }
  if (first) return first;
  throw new NetloomError("FAILED_PRECONDITION", `${attempt}: there is no identity to prove who is there`, {
    topic: "NL-703",
    hint: kinds.map(({ hint }) => hint).join("; "),
  });
}
