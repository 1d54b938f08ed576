import { type Command, Option } from "commander";
import { nearest } from "../text/problem.ts";
import { addCommands, frame, speakThrough, type CommandLine, type CommandContext } from "./command.ts";
import { commands } from "./commands.ts";

/** All commands; those on the command line are ready to run. */
export async function buildProgram(context: CommandContext, commandLine: CommandLine): Promise<Command> {
  const program = speakThrough(context, frame("netloom"))
    .description(
      "Netloom, a network service mesh for Linux: any workload gets exactly the layer 2 and layer 3 " +
        "connectivity that it requests, and nothing more.",
    )
    .helpCommand("help [command]", "show the help of a command")
    .usage("<command> [options]")
    // Only for its line in the help: the frame runs it as the command `version`.
    .addOption(new Option("-V, --version", "print the version, as netloom version does"));
  await addCommands(program, commands, context, commandLine);
  return program.addHelpText("after", footer);
}

/** Throws a usage error for a word that is not a command, also when help is requested. */
export function refuseUnknown(program: Command, words: readonly string[]): void {
  let command = program;
  for (const word of words) {
    if (word.startsWith("-") || command.commands.length === 0) return;
    if (word === "help") continue;
    const known = command.commands;
    const next = known.find((each) => each.name() === word);
    if (!next) {
      const near = nearest(
        word,
        known.map((each) => each.name()),
      );
      const hint = near === undefined ? "" : `\n(Did you mean ${near}?)`;
      return command.error(`error: unknown command '${word}'${hint}`, { code: "commander.unknownCommand" });
    }
    command = next;
  }
}

const footer = `
Every option can be set in the environment: --output json as NETLOOM_OUTPUT=json. NO_COLOR=1 turns
colours off, NETLOOM_DEBUG=1 adds the stack to an error.
Exit codes: 0 done, 1 an operation failed, 2 the command line is wrong, 128 + n ended by signal n.`;
