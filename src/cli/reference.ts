/** The reference of the commands, made from their help: docs/reference/cli.md. */
import { PassThrough } from "node:stream";
import type { Command } from "commander";
import { Output } from "./output.ts";
import { buildProgram } from "./program.ts";

/** The content of docs/reference/cli.md. `scripts/docs.ts` writes the file, and a test compares it. */
export async function cliReference(): Promise<string> {
  const nowhere = new Output(new PassThrough(), {});
  const { signal } = new AbortController();
  const context = {
    format: "text",
    out: nowhere,
    err: nowhere,
    signal,
    audience: signal,
    setExitCode: () => {},
  } as const;
  const program = await buildProgram(context, "all");
  return [
    "# The command line",
    "Written by `make docs` from the help of the commands: change those, not this file.",
    "Results go to stdout, errors to stderr. An error has a line `error:` with the attempt and why it failed, a line `hint:`\n" +
      "with what to do next, and a line `more:` with the command that explains it ([errors.md](errors.md)).\n" +
      "With `-o json` the result is one JSON document of the shape that the examples\n" +
      'show, and an error is `{"error": {"code", "topic", "message", "hint", "cause": {"name", "fields"}}}`, where `cause` is one of\n' +
      "the [reasons](errors.md#reasons), if a station of the path has given one. Fields may be added to a document; none is\n" +
      "renamed or removed. Colours are used on a terminal only.",
    "A first SIGINT, SIGTERM or SIGHUP undoes the running operation, and then ends netloom with 128 + the number of the\n" +
      "signal; a second one ends it at once (`netloom lab down` removes the leftovers).",
    ...sections(program, []),
  ]
    .join("\n\n")
    .concat("\n");
}

function sections(command: Command, parents: readonly string[]): string[] {
  const names = [...parents, command.name()];
  return [
    `${"#".repeat(names.length + 1)} ${names.join(" ")}`,
    `\`\`\`text\n${helpOf(command).trim()}\n\`\`\``,
    ...command.commands.flatMap((child) => sections(child, names)),
  ];
}

/** The help that `--help` prints, with the texts that follow the list of commands. */
export function helpOf(command: Command): string {
  let text = "";
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  return text;
}
