/** The frame of every command: command line in, exit code out; signals, errors and closed pipes between them. */
import { Command, CommanderError } from "commander";
import { addCommands, type CommandLine, type Context } from "./command.ts";
import { commands } from "./commands.ts";
import { formatOf, reportError } from "./error-report.ts";
import { catchSignals } from "./interrupt.ts";
import { Output } from "./output.ts";

/** Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n. */
const failed = 1;
const usage = 2;

const helpWidth = 100;

/** Runs one command line in this process and returns its exit code. Never throws. */
export async function run(args: readonly string[]): Promise<number> {
  ignoreClosedPipes();
  const err = new Output(process.stderr, process.env);
  const out = new Output(process.stdout, process.env);
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

/** All commands, those on the command line ready to run. */
export async function buildProgram(context: Context, commandLine: CommandLine): Promise<Command> {
  const program = new Command("netloom")
    .description(
      "Netloom, a network service mesh for Linux: any workload gets exactly the layer 2 and layer 3\n" +
        "connectivity that it asks for, and nothing more.",
    )
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [command]", "show the help of a command")
    .usage("<command> [options]")
    .showHelpAfterError("hint: netloom --help lists what there is")
    .exitOverride()
    .configureOutput({
      getOutHelpWidth: () => helpWidth,
      getErrHelpWidth: () => helpWidth,
    });
  await addCommands(program, commands, context, commandLine);
  return program.addHelpText("after", footer);
}

const footer = `
Every option may be given by the environment: --state-dir as NETLOOM_STATE_DIR. NO_COLOR=1 turns colours
off, NETLOOM_DEBUG=1 adds the stack to an error.
Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n.`;

/** `netloom … | head` closes the pipe early. What is under way goes on; only the words are lost. */
function ignoreClosedPipes(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
    });
  }
}
