import type { Netns, Operation } from "../world/kernel.ts";

export interface ScriptOptions {
  /** The namespace to be used for `host`. Default: the one that the script runs in. */
  readonly host?: Netns;
}

/** Operations as lines of a POSIX shell script with `ip`, `bridge` and `tc`. For a plan: every object as an `add`. */
export function script(operations: readonly Operation[], options: ScriptOptions = {}): string[] {
  throw new Error(`${operations.length} ${String(options.host)}`);
}
