import type { Command } from "commander";
import { describe, type CommandContext } from "../command.ts";

export function schemaCommand(context: CommandContext): Command {
  return describe({
    name: "schema",
    description:
      "Prints the JSON Schema of all documents: of labs, network services, clients, providers and functions. An editor with " +
      "the YAML language server completes and checks a file whose first line names the schema.",
    examples: [
      {
        command: "netloom schema > netloom.schema.json",
        about: "then in a file: # yaml-language-server: $schema=netloom.schema.json",
      },
    ],
  }).action(async () => {
    const { documentsJsonSchema } = await import("../../lab/file/json-schema.ts");
    context.out.write(documentsJsonSchema());
  });
}
