import type { Command } from "commander";
import type { GraphFormat } from "../print-graph.ts";
import { describe, option, type CommandContext } from "../command.ts";

export function graphCommand(context: CommandContext): Command {
  return describe({
    name: "graph",
    description: "Draws a lab from its file. Needs no privilege and changes nothing.",
    examples: [
      { command: "netloom lab graph examples/first.yaml", about: "for the terminal" },
      { command: "netloom lab graph two.yaml -f mermaid > two.mmd", about: "for a page" },
    ],
  })
    .argument("<file>", "the lab as YAML")
    .addOption(
      option("-f, --format <format>", "output format")
        .choices(["text", "mermaid", "dot", "json"])
        .default("text"),
    )
    .action(async (file: string, options: { format: GraphFormat }) => {
      const [{ readLabFile }, { mustParseLab }, { labGraph }, { printGraph }] = await Promise.all([
        import("./open.ts"),
        import("../../lab/file/parse.ts"),
        import("../../lab/status/graph.ts"),
        import("../print-graph.ts"),
      ]);
      printGraph(context.out, labGraph(mustParseLab(await readLabFile(file), file)), options.format);
    });
}
