import type { Command } from "commander";
import { describe, option, outputOption, type CommandContext } from "../command.ts";
import type { Format } from "../output.ts";
import { addMechanismOptions, readByName } from "../mechanism-options.ts";

interface DoctorOptions {
  readonly all?: boolean;
  readonly output: Format;
}

export function doctorCommand(context: CommandContext): Command {
  const command = describe({
    name: "doctor",
    description:
      "Checks this machine: runtime, privileges, kernel features with the first " +
      "kernel that has them, the port of the tunnels, the firewall, sysctls, other services, and leftovers of an earlier run. " +
      "Each problem comes with its reason and one command that fixes it. Changes nothing. " +
      "Exit code: 0 if netloom works here, perhaps with warnings; 1 if something that it needs is missing.",
    examples: [
      { command: "sudo netloom doctor", about: "the whole report" },
      {
        command: "netloom doctor -o json | jq '.checks[].findings[] | select(.status != \"ok\")'",
        about:
          '{"status", "checks": [{"name", "title", "findings": [{"status", "what", "why", "remedy", "isUnused"}]}]}',
      },
    ],
  })
    .addOption(option("--all", "also list the features of the kernel that netloom does not use yet"))
    .addOption(outputOption());
  return addMechanismOptions(command, (each) => `that of this host's agent, or ${each.default}`).action(
    async (options: DoctorOptions) => {
      const [{ checks }, { examine, printReport }, { openHost }] = await Promise.all([
        import("../doctor/checks.ts"),
        import("../doctor/report.ts"),
        import("../doctor/open-host.ts"),
      ]);
      const report = examine(await openHost(readByName(command)), checks);
      if (options.output === "json") context.out.json(report);
      else printReport(context.out, report, { all: options.all === true });
      context.setExitCode(report.status === "failed" ? 1 : 0);
    },
  );
}
