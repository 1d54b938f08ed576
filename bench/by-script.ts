/** Wires made by a shell script with the same commands: the baseline of benches. */
import { performance } from "node:perf_hooks";
import { diff } from "../src/forwarder/reconcile/diff.ts";
import { plan } from "../src/forwarder/plan/plan.ts";
import { script } from "../src/kernel/script.ts";
import type { Wire } from "../src/forwarder/wire.ts";
import type { Operation } from "../src/kernel/kernel.ts";
import { netnsOf, sh } from "./bed.ts";

/** A half, or a whole local wire, and the host whose kernel it belongs to. */
export interface ScriptPart {
  readonly wire: Wire;
  readonly host: "alpha" | "beta";
}

export function operations(wire: Wire, verb: "add" | "remove"): Operation[] {
  const { objects } = plan(wire);
  return verb === "add" ? objects.map((object) => ({ verb, object })) : diff([], objects);
}

/** UDP port of the script's tunnels: its one device per wire cannot share a port with Netloom's shared device. */
const SCRIPT_PORT = 8472;

/** Leaves out settings, and the check whether `ip` can mark addresses: nobody runs that for each wire. */
export function scriptOf(parts: readonly ScriptPart[], verb: "add" | "remove"): string[] {
  const lines = parts.flatMap(({ wire, host }) => script(operations(wire, verb), { host: netnsOf(host) }));
  return [
    "owner=",
    ...lines
      .filter((line) => !/^if |sysctl/.test(line))
      .map((line) => line.replace(/ dstport \d+/, ` dstport ${SCRIPT_PORT}`)),
  ];
}

/** Runs the lines in one shell; returns the milliseconds. */
export function elapsedByScript(lines: readonly string[]): number {
  const startedAt = performance.now();
  sh(lines);
  return performance.now() - startedAt;
}
