import type { ExaminedMachine } from "./machine.ts";

/** `failed`: netloom does not work here. `warning`: something may disturb it. `absent`: something optional is missing. */
export type Status = "ok" | "absent" | "warning" | "failed";

/** The result of one check. Every result but `ok` has a reason why it matters, and one command that fixes it. */
export type Report =
  | { readonly status: "ok"; readonly what: string; readonly isUnused?: true }
  | {
      readonly status: "absent" | "warning" | "failed";
      /** The finding: `udp port 4789 is held by ovs-vswitchd (pid 812)`. */
      readonly what: string;
      /** The effect on netloom. */
      readonly why: string;
      /** One command that fixes it, or one step if there is no such command. */
      readonly remedy: string;
      /** Netloom does not use it yet, so nothing has to be done. */
      readonly isUnused?: true;
    };

/** A rule of the doctor. It only reads the machine, so that a test may pass any machine. */
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
