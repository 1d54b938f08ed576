import { constants } from "node:os";
import { NetloomError } from "../errors/errors.ts";

/** The first signal from outside. */
export interface Interrupt {
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP. */
  readonly signal: AbortSignal;
  /** 128 + the number of the signal; `undefined` before a signal. */
  readonly exitCode: number | undefined;
}

/** Turns the first signal into an abort, so that the command can undo its work; the second ends the process at once. */
export function catchSignals(): Interrupt {
  const controller = new AbortController();
  let exitCode: number | undefined;
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(name, () => {
      if (exitCode !== undefined) process.exit(exitCode);
      exitCode = 128 + constants.signals[name];
      controller.abort(new NetloomError("CANCELLED", `ended by ${name}`));
    });
  }
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
