import type { Command } from "commander";
import type { UpReport } from "../../lab/lab.ts";
import { describe, outputOption, type CommandContext } from "../command.ts";
import { count, type Format, type Output } from "../output.ts";

export function upCommand(context: CommandContext): Command {
  return describe({
    name: "up",
    description:
      "Makes the lab of a file: namespaces, cables, addresses, routes, and wires or agents. Run again after a change of the " +
      "file it changes only what differs. If it fails or is interrupted half-way, a new lab is removed again. " +
      "Needs root.",
    examples: [
      { command: "sudo netloom lab up examples/first.yaml", about: "make it, or bring it up to date" },
      {
        command: "sudo netloom lab up two.yaml -o json",
        about: '{"lab", "changed", "namespaces": {"added", "removed"}, "operations", "wires", "durationMs"}',
      },
    ],
  })
    .argument("<file>", "the lab as YAML")
    .addOption(outputOption())
    .action(async (file: string, options: { output: Format }) => {
      const { requirePrivileges } = await import("../doctor/privileges.ts");
      requirePrivileges(`bring up the lab of ${file}`, `netloom lab up ${file}`);
      const report = await bringUp(context, file);
      if (options.output === "json") context.out.json({ ...report, lab: report.lab.name });
      else printReport(context.out, report);
    });
}

/** Brings up a lab. An interrupt stops between two steps and removes what is new, even after the last step. */
async function bringUp(context: CommandContext, file: string): Promise<UpReport> {
  const [{ readLabFile, withMachine }, { down, list, up }] = await Promise.all([
    import("./open.ts"),
    import("../../lab/lab.ts"),
  ]);
  const text = await readLabFile(file);
  return withMachine(async (machine) => {
    const before = await list();
    const report = await up(machine, text, file, { signal: context.signal });
    if (context.signal.aborted && !before.includes(report.lab.name)) await down(machine, report.lab.name);
    context.signal.throwIfAborted();
    return report;
  });
}

function printReport(out: Output, report: UpReport): void {
  const { lab, changed, namespaces, wires, started, attachments, durationMs } = report;
  const time = `${durationMs.toFixed(0)} ms`;
  const workloads = lab.hosts.reduce((sum, host) => sum + host.workloads.length, 0);
  const size = [
    count(lab.hosts.length, "host"),
    count(workloads, "workload"),
    ...(lab.mesh
      ? [count(lab.mesh.agents.length, "agent"), count(attachments.length, "attachment")]
      : [count(lab.wires.length, "wire")]),
  ].join(", ");
  out.line(
    `lab ${out.style("bold", lab.name)} is up: ${size} (${changed ? time : `nothing to change, ${time}`})`,
  );
  for (const name of namespaces.added) out.line(`  + namespace ${name}`);
  for (const name of namespaces.removed) out.line(`  - namespace ${name}`);
  for (const name of wires.added) out.line(`  + wire ${name}`);
  for (const name of wires.changed) out.line(`  ~ wire ${name}`);
  for (const name of wires.removed) out.line(`  - wire ${name}`);
  for (const name of started) out.line(`  + ${name}`);
  for (const { host, ref, isUp, reason } of attachments)
    if (!isUp) out.line(`  ! ${ref.kind} ${ref.name} of ${host} is not up yet: ${reason}`);
}
