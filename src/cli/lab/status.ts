import type { Command } from "commander";
import type { LabStatus } from "../../lab/lab.ts";
import { describe, option, outputOption, type CommandContext } from "../command.ts";
import type { Format, Output } from "../output.ts";

export function statusCommand(context: CommandContext): Command {
  return describe({
    name: "status",
    description:
      "Shows the wires of a lab: path, MTU, received packets of each side, and differences from the lab's file. " +
      "Without a name: lists the labs on this machine. Needs root for a lab. " +
      "Exit code: 1 if something differs or does not answer.",
    examples: [
      { command: "netloom lab status", about: "list the labs" },
      { command: "sudo netloom lab status two --ping", about: "one lab, with round-trip times" },
      {
        command: "sudo netloom lab status two -o json",
        about:
          '{"name", "underlay": {"state", "differences"}, "hosts", "workloads", "services", "endpoints", "attachments", "wires": ' +
          '[{"wire", "client", "endpoint", "path", "hosts", "hops", "state", "interfaces", "differences", "ping", …}], "problems"}; ' +
          "the keys of netloom status -o json",
      },
    ],
  })
    .argument("[lab]", "name of the lab, or its file")
    .addOption(option("--ping", "send a packet through every wire, and time it"))
    .addOption(outputOption())
    .action(async (lab: string | undefined, options: { output: Format; ping?: boolean }) => {
      if (lab === undefined) return printNames(context.out, options.output);
      const [status, { isHealthy, printLab }] = await Promise.all([
        statusOf(lab, options.ping === true),
        import("./lab-screen.ts"),
      ]);
      if (options.output === "json") {
        const { lab: _, ...document } = status;
        context.out.json(document);
      } else {
        printLab(context.out, status);
      }
      context.setExitCode(isHealthy(status) ? 0 : 1);
    });
}

async function printNames(out: Output, format: Format): Promise<void> {
  const { list } = await import("../../lab/lab.ts");
  const labs = await list();
  if (format === "json") return out.json({ labs });
  for (const name of labs) out.line(name);
  if (labs.length === 0) out.line("no lab is up; netloom lab up <file> makes one");
}

async function statusOf(lab: string, ping: boolean): Promise<LabStatus> {
  const { requirePrivileges } = await import("../doctor/privileges.ts");
  requirePrivileges(`show lab ${lab}`, `netloom lab status ${lab}`);
  const [{ labNameOf, withMachine }, { status }] = await Promise.all([
    import("./open.ts"),
    import("../../lab/lab.ts"),
  ]);
  const name = await labNameOf(lab);
  return withMachine((machine) => status(machine, name, { ping }));
}
