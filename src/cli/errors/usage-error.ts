import type { CommanderError } from "commander";
import { NetloomError } from "../../errors/errors.ts";

/** Converts a wrong command line to an error like all others. */
export function usageError({ code, message }: CommanderError): NetloomError {
  if (code === "commander.help") {
    return new NetloomError("INVALID_ARGUMENT", "read the command line: a command is missing", {
      topic: "NL-104",
      hint: "netloom --help lists the commands",
    });
  }
  const [what = "", ...rest] = message.replace(/^error: /, "").split("\n");
  const [, near] = /^\(Did you mean (.*\?)\)$/.exec(rest.at(-1) ?? "") ?? [];
  const help = "add --help to see how it is used";
  return new NetloomError(
    "INVALID_ARGUMENT",
    [what, ...(near === undefined ? rest : rest.slice(0, -1))].join("\n"),
    {
      topic: "NL-104",
      hint: near === undefined ? help : `did you mean ${near} otherwise ${help}`,
    },
  );
}
