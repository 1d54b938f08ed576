import type { Command } from "commander";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { count, type Format } from "../output.ts";

export function validateCommand(context: CommandContext): Command {
  return describe({
    name: "validate",
    description:
      "Checks a lab file and reports every mistake with its line and column. Needs no privilege and changes " +
      "nothing. Exit code: 1 if there is a mistake.",
    examples: [
      { command: "netloom lab validate two.yaml", about: "one line for each mistake" },
      {
        command: "netloom lab validate two.yaml -o json",
        about: '{"ok", "problems": [{"file", "line", "column", "path", "message"}]}',
      },
    ],
  })
    .argument("<file>", "the lab as YAML")
    .addOption(outputOption())
    .action(async (file: string, options: { output: Format }) => {
      const [{ readLabFile }, { labFileError, parseLab }] = await Promise.all([
        import("./open.ts"),
        import("../../lab/file/parse.ts"),
      ]);
      const result = parseLab(await readLabFile(file), file);
      if (options.output === "json") {
        context.out.json({ ok: result.ok, problems: result.ok ? [] : result.problems });
        return context.setExitCode(result.ok ? 0 : 1);
      }
      if (!result.ok) throw labFileError(result.problems);
      const { name, hosts, wires } = result.lab;
      context.out.line(
        `${file}: lab ${name}, ${count(hosts.length, "host")}, ${count(wires.length, "wire")}, no mistakes`,
      );
    });
}
