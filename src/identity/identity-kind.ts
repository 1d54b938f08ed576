/** One kind of identity for a process: a folder here, and a line in the list. */
import type { PolicyRule } from "../policy/rules.ts";
import type { Ports, World } from "../world/world.ts";
import type { Identity } from "./identity.ts";

export interface IdentityOptions {
  /** The hops may be used as soon as the identity has been opened. */
  readonly world: World & Pick<Ports, "hops">;
  /** The value of the command-line option, if it takes one. */
  readonly value?: string | undefined;
  /** Lifetime of this process's claims about itself, such as tokens. Default: 600,000 ms. */
  readonly lifetimeMs?: number | undefined;
}

/** An opened identity of one kind. */
export interface OpenedIdentity extends Omit<Identity, "authorize"> {
  /** Rules beside those that hold everywhere: about the tokens in a path. */
  readonly rules: readonly PolicyRule[];
}

/** The texts of a kind; its implementation is loaded on demand. */
export interface IdentityKind {
  readonly name: string;
  /** The command-line option that selects the kind. */
  readonly option: {
    /** In commander's form: `--name`, `--name <value>`. */
    readonly flags: string;
    readonly description: string;
  };
  /** Tells a user who chose no identity when this one is right. */
  readonly hint: string;
  /** Loads the function that starts the identity. Its later work runs as tasks of `world.scope`. */
  load(): Promise<(options: IdentityOptions) => OpenedIdentity>;
}
