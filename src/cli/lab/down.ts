import type { Command } from "commander";
import { describe, outputOption, type Context } from "../command.ts";
import type { Format } from "../output.ts";

export function downCommand(context: Context): Command {
  return describe({
    name: "down",
    description:
      "Removes a lab: its namespaces, devices, programs and state, also what a killed run left of it. A lab that " +
      "is not there is fine. Needs root.",
    examples: [
      { command: "sudo netloom lab down two", about: "by its name" },
      {
        command: "sudo netloom lab down two.yaml -o json",
        about: '{"lab", "existed", "namespaces", "durationMs"}',
      },
    ],
  })
    .argument("<lab>", "name of the lab, or its file")
    .addOption(outputOption())
    .action(async (lab: string, options: { output: Format }) => {
      const { requirePrivileges } = await import("../doctor/privileges.ts");
      requirePrivileges(`remove lab ${lab}`, `netloom lab down ${lab}`);
      const [{ labNameOf, withMachine }, { down }] = await Promise.all([
        import("./open.ts"),
        import("../../lab/lab.ts"),
      ]);
      const name = await labNameOf(lab);
      const report = await withMachine((machine) => down(machine, name));
      if (options.output === "json") return context.out.json({ lab: name, ...report });
      const { existed, namespaces, durationMs } = report;
      const size = `${namespaces.length} namespaces removed in ${durationMs.toFixed(0)} ms`;
      context.out.line(
        existed ? `lab ${name} is down: ${size}` : `lab ${name} is down: there was nothing of it`,
      );
    });
}
