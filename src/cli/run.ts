/** The frame of every command: command line in, exit code out; signals, errors and closed pipes between them. */
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
 * Runs one command line in this process and returns its exit code, when all that it wrote has left the process. Never
 * throws.
 */
export async function run(args: readonly string[]): Promise<number> {
  const interrupt = catchSignals();
  const writing = watchWriting(interrupt.signal);
  const err = new Output(process.stderr, process.env);
  const out = new Output(process.stdout, process.env);
  // The threads of netloom never hold up an exit, so a command that waits for one of them alone would end too early.
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
    // What a signal has cut off is no success.
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

/** `--version` is the command of that name. */
function wordsOf(args: readonly string[]): readonly string[] {
  const [first = "", ...rest] = args;
  return ["-V", "--version"].includes(first) ? ["version", ...rest] : args;
}
