import type { Command } from "commander";
import type { DownReport } from "../../lab/lab.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { count, type Format, type Output } from "../output.ts";

export function downCommand(context: CommandContext): Command {
  return describe({
    name: "down",
    description:
      "Removes a lab: its namespaces, devices, programs and state, and the leftovers of a killed run. A lab that " +
      "does not exist is no error. Needs root.",
    examples: [
      { command: "sudo netloom lab down two", about: "by its name" },
      {
        command: "sudo netloom lab down two.yaml -o json",
        about: '{"lab", "existed", "namespaces", "survivors", "durationMs"}',
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
      printReport(context.out, name, report);
    });
}

function printReport(
  out: Output,
  lab: string,
  { existed, namespaces, survivors, durationMs }: DownReport,
): void {
  if (!existed) return out.line(`lab ${lab} is down: it did not exist`);
  out.line(
    `lab ${lab} is down: ${count(namespaces.length, "namespace")} removed in ${durationMs.toFixed(0)} ms`,
  );
  for (const { pid, program, namespace } of survivors) {
    out.line(`  ! ${program} (pid ${pid}) still runs in ${namespace}, which stays until the program ends`);
  }
}
