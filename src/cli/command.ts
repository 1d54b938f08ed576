/** How a command is described, so that all of them read and behave alike. */
import { Command, Option } from "commander";
import type { Format, Output } from "./output.ts";

/** What a command gets from the frame. */
export interface CommandContext {
  /** How errors are told. */
  readonly format: Format;
  /** For results. */
  readonly out: Output;
  /** For progress and remarks: on stderr, so that stdout stays usable in a pipe. */
  readonly err: Output;
  /** Ends with SIGINT, SIGTERM or SIGHUP: what is under way is undone, then the command rejects with its reason. */
  readonly signal: AbortSignal;
  /** Ends also when nobody reads the result any more: for a command that does nothing but show what changes. */
  readonly audience: AbortSignal;
  /** Decides on the exit code of a command that has ended without an error. Default: 0, or 128 + n after signal n. */
  setExitCode(code: number): void;
}

interface Example {
  readonly command: string;
  readonly about: string;
}

export interface CommandText {
  readonly name: string;
  /** What the command does, what it needs and what its exit code says. */
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

/** Adds `entries` to `parent`: those named on the command line in full, of the others only what help shows. */
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

/** Help of a command takes the same way as its results. */
export function speakThrough({ out, err, format }: CommandContext, command: Command): Command {
  return command.configureOutput({
    writeOut: (text) => out.write(text),
    // Help in the place of a command that is missing. As JSON there is only the error.
    writeErr: (text) => {
      if (format === "text") err.write(text);
    },
    // The frame tells it, like every other error.
    outputError: () => undefined,
  });
}

/** An option with a value that the environment may give as well: `--output json` is NETLOOM_OUTPUT=json. A switch is on when its variable
 * is set, to whatever. */
export function option(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.env(`NETLOOM_${option.name().toUpperCase().replaceAll("-", "_")}`);
}

/** `-o text|json`, the same for every command that prints a result. */
export function outputOption(): Option {
  return option("-o, --output <format>", "what to print").choices(["text", "json"]).default("text");
}

/** What every command has, `netloom` itself included. */
export function frame(name: string): Command {
  return new Command(name)
    .helpOption("-h, --help", "show this help")
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .enablePositionalOptions()
    .exitOverride()
    .configureOutput({ getOutHelpWidth: () => helpWidth, getErrHelpWidth: () => helpWidth });
}
