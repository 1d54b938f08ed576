/** The frame of every command: from command line to exit code, with signals, errors and closed pipes in between. */
import { CommanderError } from "commander";
import type { CommandContext } from "./command.ts";
import { formatOf, reportError } from "./errors/error-report.ts";
import { catchSignals } from "./interrupt.ts";
import { Output } from "./output.ts";
import { buildProgram, refuseUnknown } from "./program.ts";
import { usageError } from "./errors/usage-error.ts";
import { watchWriting } from "./writing.ts";

/** Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n. */
const failed = 1;
const usage = 2;

/**
 * Runs one command line in this process and returns its exit code once all output has left the process. Never throws.
 */
export async function run(args: readonly string[]): Promise<number> {
  const interrupt = catchSignals();
  const writing = watchWriting(interrupt.signal);
  const err = new Output(process.stderr, process.env);
  const out = new Output(process.stdout, process.env);
  // Netloom's threads do not keep the process alive, so a command that only waits for one of them would end too early.
  const alive = setInterval(() => {}, 60_000);
  let exitCode: number | undefined;
  const line = wordsOf(args);
  const format = formatOf(line, process.env);
  const context: CommandContext = {
    format,
    out,
    err,
    signal: interrupt.signal,
    audience: AbortSignal.any([interrupt.signal, writing.left]),
    setExitCode: (code) => {
      exitCode = code;
    },
  };
  try {
    const program = await buildProgram(context, line);
    refuseUnknown(program, line);
    await program.parseAsync([...line], { from: "user" });
    // A command that a signal cut off has not succeeded.
    const isAll = await writing.done();
    return (isAll ? exitCode : undefined) ?? interrupt.exitCode ?? 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      const isTold = format === "text" && error.code === "commander.help";
      if (!isTold) reportError(err, usageError(error), format, process.env);
      return usage;
    }
    if (error === writing.left.reason) return 0;
    if (interrupt.exitCode === undefined || error !== interrupt.signal.reason) {
      reportError(err, error, format, process.env);
    }
    return interrupt.exitCode ?? failed;
  } finally {
    await writing.end();
    clearInterval(alive);
  }
}

/** Reads `--version` as the command `version`. */
function wordsOf(args: readonly string[]): readonly string[] {
  const [first = "", ...rest] = args;
  return ["-V", "--version"].includes(first) ? ["version", ...rest] : args;
}
