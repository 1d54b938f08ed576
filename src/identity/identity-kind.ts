/** A way for a process to be somebody: a folder here, and a line in the list. */
import type { PolicyRule } from "../policy/rules.ts";
import type { Ports, World } from "../world/world.ts";
import type { Identity } from "./identity.ts";

export interface IdentityOptions {
  /** Its hops may be used as soon as the identity has been opened. */
  readonly world: World & Pick<Ports, "hops">;
  /** What was given with the option of the command line, if it takes something. */
  readonly value?: string | undefined;
  /** How long what this process says of itself lasts. Default: 600,000 ms. */
  readonly lifetimeMs?: number | undefined;
}

/** What a kind brings. */
export interface OpenedIdentity extends Omit<Identity, "authorize"> {
  /** Beside those that hold everywhere: of the tokens in a path. */
  readonly rules: readonly PolicyRule[];
}

/** Its words; what works is loaded by who needs it. */
export interface IdentityKind {
  readonly name: string;
  /** How the command line asks for it. */
  readonly option: {
    /** As commander has it: `--name`, `--name <value>`. */
    readonly flags: string;
    readonly description: string;
  };
  /** For somebody who has asked for no identity: when this one is the right one. */
  readonly hint: string;
  /** Resolves with what starts it. What that does later is a task of `world.scope`. */
  load(): Promise<(options: IdentityOptions) => OpenedIdentity>;
}
