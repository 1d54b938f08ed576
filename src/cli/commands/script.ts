import { scriptFrame, type ScriptPart } from "../script-part.ts";
import type { Command } from "commander";
import type { Lab } from "../../lab/file/model.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import type { Format, Output } from "../output.ts";

export function scriptCommand(context: CommandContext): Command {
  return describe({
    name: "script",
    description:
      "Prints the plan of a lab, or of one of its wires, as a shell script with ip and tc: what netloom " +
      "would do, for review or for a machine without netloom. Needs no privilege and changes nothing.",
    examples: [
      { command: "netloom script examples/first.yaml", about: "the whole lab" },
      {
        command: "netloom script two.yaml alpha/web/db",
        about: "one wire, on every host that has a part of it",
      },
      {
        command: "netloom script two.yaml -o json",
        about: '{"lab", "parts": [{"title", "objects", "commands"}]}',
      },
    ],
  })
    .argument("<lab>", "the lab as YAML")
    .argument("[wire]", "a wire of the lab, by either end: host/workload/interface")
    .addOption(outputOption())
    .action(async (file: string, wire: string | undefined, options: { output: Format }) => {
      const [{ readLabFile }, { mustParseLab }, { labScript, wireScript }] = await Promise.all([
        import("../lab/open.ts"),
        import("../../lab/file/parse.ts"),
        import("../lab/lab-script.ts"),
      ]);
      const lab = mustParseLab(await readLabFile(file), file);
      const parts = wire === undefined ? labScript(lab) : wireScript(lab, wire);
      if (options.output === "json") context.out.json({ lab: lab.name, parts });
      else printScript(context.out, lab, parts);
    });
}

function printScript(out: Output, lab: Lab, parts: readonly ScriptPart[]): void {
  for (const line of scriptFrame) out.line(line);
  out.line(out.style("dim", `# Lab ${lab.name}, as netloom makes it.`));
  for (const { title, commands } of parts) {
    out.line();
    out.line(out.style("dim", `# ${title}`));
    for (const command of commands) out.line(command);
  }
}
