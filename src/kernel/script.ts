/**
 * Writes operations as shell commands: to read, to learn from, or to run without Netloom.
 *
 * Two things have no command (iproute2 6.1). The eBPF program becomes a redirect of tc that carries the same frames, but
 * does not count per wire and does not take the short cut into the workload. The owner of an address is recorded only where
 * `ip address` knows the word `proto`.
 */
import type { Operation } from "./kernel.ts";
import { kindOf } from "./objects.ts";
import { type ScriptOptions, ScriptTools } from "./script-tools.ts";

/** Lines of a POSIX shell script that applies `operations` with `ip` and `tc`, and stops at the first failure. */
export function script(operations: readonly Operation[], options: ScriptOptions = {}): string[] {
  const tools = new ScriptTools(options);
  const kinds = new Set(operations.map(({ object }) => kindOf(object)));
  return [
    "#!/bin/sh",
    "set -eu",
    ...[...kinds].flatMap((kind) => kind.scriptStart?.(tools) ?? []),
    ...operations.flatMap((operation) => kindOf(operation.object).script(tools, operation)),
  ];
}
