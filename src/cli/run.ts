/** The frame of every command: command line in, exit code out; signals, errors and closed pipes between them. */
import { isatty } from "node:tty";
import { CommanderError } from "commander";
import type { Context } from "./command.ts";
import { formatOf, reportError } from "./error-report.ts";
import { catchSignals } from "./interrupt.ts";
import { Output, type Sink } from "./output.ts";
import { buildProgram } from "./program.ts";

/** Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n. */
const failed = 1;
const usage = 2;

/** Runs one command line in this process and returns its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const err = new Output(standardStream("stderr", 2), process.env);
  const out = new Output(standardStream("stdout", 1), process.env);
  const interrupt = catchSignals();
  let exitCode = 0;
  const context: Context = {
    out,
    err,
    signal: interrupt.signal,
    setExitCode: (code) => {
      exitCode = code;
    },
  };
  try {
    const program = await buildProgram(context, args);
    await program.parseAsync([...args], { from: "user" });
    return interrupt.exitCode ?? exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usage;
    if (interrupt.exitCode === undefined || error !== interrupt.signal.reason) {
      reportError(err, error, formatOf(args, process.env), process.env);
    }
    return interrupt.exitCode ?? failed;
  }
}

/**
 * A standard stream of this process, opened by the first word: opening a pipe makes it non-blocking, also for a program
 * that `lab exec` puts in our place. `netloom … | head` closes the pipe early: what is under way goes on, only the
 * words are lost.
 */
function standardStream(name: "stdout" | "stderr", fd: number): Sink {
  let stream: NodeJS.WriteStream | undefined;
  return {
    isTTY: isatty(fd),
    write: (text) => {
      stream ??= process[name].on("error", (error: NodeJS.ErrnoException) => {
        if (error.code !== "EPIPE") throw error;
      });
      stream.write(text);
    },
  };
}
