import type { ExaminedMachine } from "./machine.ts";

/**
 * `failed` means that netloom does not work here; `warning` that something may get in its way; `absent` that something
 * which it can do without is not there.
 */
export type Status = "ok" | "absent" | "warning" | "failed";

/** One thing that was looked at. Whatever is not `ok` says why it matters, and has one command that clears it. */
export type Report =
  | { readonly status: "ok"; readonly what: string; readonly isUnused?: true }
  | {
      readonly status: "absent" | "warning" | "failed";
      /** The state of affairs: `udp port 4789 is held by ovs-vswitchd (pid 812)`. */
      readonly what: string;
      /** What that does to netloom. */
      readonly why: string;
      /** One command that clears it, or the one step where there is no such command. */
      readonly remedy: string;
      /** Netloom has no use for it yet: it asks for nothing, there or not. */
      readonly isUnused?: true;
    };

/** A rule of the doctor. It only reads the machine, so that a test may hand it any. */
export interface Check<M extends ExaminedMachine = ExaminedMachine> {
  /** Stable name, for scripts. */
  readonly name: string;
  readonly title: string;
  run(machine: M): readonly Report[];
}

export function ok(what: string): Report {
  return { status: "ok", what };
}

export function absent(what: string, why: string, remedy: string): Report {
  return { status: "absent", what, why, remedy };
}

export function warning(what: string, why: string, remedy: string): Report {
  return { status: "warning", what, why, remedy };
}

export function failed(what: string, why: string, remedy: string): Report {
  return { status: "failed", what, why, remedy };
}
