/** The frame of every command: command line in, exit code out; signals, errors and closed pipes between them. */
import { CommanderError } from "commander";
import { NetloomError } from "../world/errors.ts";
import type { Context } from "./command.ts";
import { formatOf, reportError } from "./error-report.ts";
import { catchSignals } from "./interrupt.ts";
import { Output } from "./output.ts";
import { buildProgram } from "./program.ts";

/** Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n. */
const failed = 1;
const usage = 2;

/** Runs one command line in this process and returns its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  const writing = watchWriting();
  const err = new Output(process.stderr, process.env);
  const out = new Output(process.stdout, process.env);
  const interrupt = catchSignals();
  // The threads of netloom never hold up an exit, so a command that waits for one of them alone would end too early.
  const alive = setInterval(() => {}, 60_000);
  let exitCode: number | undefined;
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
    await writing.done();
    return exitCode ?? interrupt.exitCode ?? 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : usage;
    if (interrupt.exitCode === undefined || error !== interrupt.signal.reason) {
      reportError(err, error, formatOf(args, process.env), process.env);
    }
    return interrupt.exitCode ?? failed;
  } finally {
    clearInterval(alive);
  }
}

/**
 * `netloom … | head` closes the pipe early. What is under way goes on; only the words are lost. Any other reason why the
 * result cannot be written, such as a full disk, is told when the command is done.
 */
function watchWriting(): { done(): Promise<void> } {
  let failure: NodeJS.ErrnoException | undefined;
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") failure ??= error;
    });
  }
  return {
    async done() {
      // The error of a stream comes after the call that has caused it.
      await new Promise(setImmediate);
      if (!failure) return;
      throw new NetloomError("UNAVAILABLE", `write the result: ${failure.message}`, {
        hint: "what the command has done is done; only its words are lost",
        cause: failure,
      });
    },
  };
}
