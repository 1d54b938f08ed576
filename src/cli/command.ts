/** The description of a command, so that all commands read and behave alike. */
import { Command, Option } from "commander";
import type { Format, Output } from "./output.ts";

/** The surroundings of a command, from the frame of the program. */
export interface CommandContext {
  /** Format of errors. */
  readonly format: Format;
  /** Output for results. */
  readonly out: Output;
  /** Output for progress and remarks: stderr, so that stdout stays usable in a pipe. */
  readonly err: Output;
  /**
   * Aborts at SIGINT, SIGTERM or SIGHUP: the command undoes what it has begun, then rejects with the signal's reason.
   */
  readonly signal: AbortSignal;
  /** Also aborts when the reader of stdout leaves: for a command that only shows changes. */
  readonly audience: AbortSignal;
  /** Sets the exit code of a command that ends without an error. Default: 0, or 128 + n after signal n. */
  setExitCode(code: number): void;
}

interface Example {
  readonly command: string;
  readonly about: string;
}

export interface CommandText {
  readonly name: string;
  /** Purpose of the command, its requirements, and its exit codes. */
  readonly description: string;
  readonly examples: readonly Example[];
}

/**
 * An entry of a list of commands. The file of a command is loaded when the command line names it: that keeps
 * `netloom version` fast.
 */
export interface Entry {
  readonly name: string;
  readonly summary: string;
  load(): Promise<(context: CommandContext, commandLine: CommandLine) => Command | Promise<Command>>;
}

/** The words of the command line, or `all` to load every command (for the reference). */
export type CommandLine = readonly string[] | "all";

const helpWidth = 100;

/** A command without its arguments, options and action. */
export function describe(description: CommandText): Command {
  const examples = description.examples.map(({ command, about }) => `  $ ${command}\n      ${about}`);
  return frame(description.name)
    .description(description.description)
    .addHelpText("after", `\nExamples:\n${examples.join("\n")}`);
}

/** Adds `entries` to `parent`: completely if the command line names them, otherwise only their lines in the help. */
export async function addCommands(
  parent: Command,
  entries: readonly Entry[],
  context: CommandContext,
  commandLine: CommandLine,
): Promise<void> {
  for (const entry of entries) {
    const named = commandLine === "all" || commandLine.includes(entry.name);
    const command = named ? await (await entry.load())(context, commandLine) : frame(entry.name);
    parent.addCommand(speakThrough(context, command.summary(entry.summary)));
  }
}

/** Sends the help of a command to the same output as its results. */
export function speakThrough({ out, err, format }: CommandContext, command: Command): Command {
  return command.configureOutput({
    writeOut: (text) => out.write(text),
    // Help is shown in place of a missing command. With JSON there is only the error.
    writeErr: (text) => {
      if (format === "text") err.write(text);
    },
    // The frame prints it, like every other error.
    outputError: () => undefined,
  });
}

/**
 * An option that the environment can also set: `--output json` is NETLOOM_OUTPUT=json. A switch is on when its variable
 * is set, to any value.
 */
export function option(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`NETLOOM_${option.name().toUpperCase().replaceAll("-", "_")}`);
}

/** `-o text|json`, the same for every command that prints a result. */
export function outputOption(): Option {
  return option("-o, --output <format>", "output format").choices(["text", "json"]).default("text");
}

/** A command with the options that all commands share, `netloom` itself included. */
export function frame(name: string): Command {
  return new Command(name)
    .helpOption("-h, --help", "show this help")
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ getOutHelpWidth: () => helpWidth, getErrHelpWidth: () => helpWidth });
}
