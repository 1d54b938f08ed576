import type { Command } from "commander";
import { addCommands, frame, speakThrough, type CommandLine, type Context } from "./command.ts";
import { commands } from "./commands.ts";

/** All commands, those on the command line ready to run. */
export async function buildProgram(context: Context, commandLine: CommandLine): Promise<Command> {
  const program = speakThrough(context, frame("netloom"))
    .description(
      "Netloom, a network service mesh for Linux: any workload gets exactly the layer 2 and layer 3 " +
        "connectivity that it asks for, and nothing more.",
    )
    .helpCommand("help [command]", "show the help of a command")
    .usage("<command> [options]");
  await addCommands(program, commands, context, commandLine);
  return program.addHelpText("after", footer);
}

const footer = `
Every option may be given by the environment: --output json as NETLOOM_OUTPUT=json. NO_COLOR=1 turns
colours off, NETLOOM_DEBUG=1 adds the stack to an error.
Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n.`;
