import type { Command } from "commander";
import { describe, option, outputOption, type Context } from "./command.ts";
import type { Format } from "./output.ts";
import { NetloomError } from "../errors/errors.ts";

interface DoctorOptions {
  readonly all?: boolean;
  readonly output: Format;
  readonly vxlanPort?: number;
}

export function doctorCommand(context: Context): Command {
  return describe({
    name: "doctor",
    description:
      "Says what this machine can do and what is in the way: runtime, privileges, kernel features with the first " +
      "kernel that has them, the port of the tunnels, sysctls, other services, and what an earlier run left. " +
      "Whatever is not fine comes with its reason and one command that clears it. Changes nothing. " +
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
    .addOption(option("--all", "also each feature of the kernel that netloom does not use yet"))
    .addOption(outputOption())
    .addOption(
      option(
        "--vxlan-port <port>",
        "UDP port of the tunnels (default: that of the agent here, or 4789)",
      ).argParser(Number),
    )
    .action(async (options: DoctorOptions) => {
      const [{ checks }, { examine, printReport }, { openHost }] = await Promise.all([
        import("./doctor/checks.ts"),
        import("./doctor/report.ts"),
        import("./doctor/open-host.ts"),
      ]);
      const { vxlanPort } = options;
      if (vxlanPort !== undefined && !(Number.isInteger(vxlanPort) && vxlanPort >= 1 && vxlanPort <= 65_535))
        throw new NetloomError("INVALID_ARGUMENT", "--vxlan-port: expected a number from 1 to 65535");
      const report = examine(await openHost(vxlanPort === undefined ? {} : { vxlanPort }), checks);
      if (options.output === "json") context.out.json(report);
      else printReport(context.out, report, { all: options.all === true });
      context.setExitCode(report.status === "failed" ? 1 : 0);
    });
}
