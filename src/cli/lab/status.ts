import type { Command } from "commander";
import type { LabStatus, WireStatus } from "../../lab/lab.ts";
import { describe, option, outputOption, type Context } from "../command.ts";
import { count, table, type Format, type Output } from "../output.ts";

export function statusCommand(context: Context): Command {
  return describe({
    name: "status",
    description:
      "Shows the wires of a lab: path, MTU, what each side received, and what differs from the file it was made " +
      "from. Without a name: the labs on this machine. Needs root for a lab. " +
      "Exit code: 1 if something differs or does not answer.",
    examples: [
      { command: "netloom lab status", about: "which labs are there" },
      { command: "sudo netloom lab status two --ping", about: "one lab, with round-trip times" },
      {
        command: "sudo netloom lab status two -o json",
        about:
          '{"name", "underlay": {"state", "differences"}, "wires": [{"client", "endpoint", "path", "state", …}]}',
      },
    ],
  })
    .argument("[lab]", "name of the lab, or its file")
    .addOption(option("--ping", "send a packet through every wire, and time it"))
    .addOption(outputOption())
    .action(async (lab: string | undefined, options: { output: Format; ping?: boolean }) => {
      if (lab === undefined) return printNames(context.out, options.output);
      const status = await statusOf(lab, options.ping === true);
      if (options.output === "json") {
        const { name, underlay, wires, problems } = status;
        context.out.json({ name, underlay, wires, problems });
      } else {
        printStatus(context.out, status);
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
  requirePrivileges(`look at lab ${lab}`, `netloom lab status ${lab}`);
  const [{ labNameOf, withMachine }, { status }] = await Promise.all([
    import("./open.ts"),
    import("../../lab/lab.ts"),
  ]);
  const name = await labNameOf(lab);
  return withMachine((machine) => status(machine, name, { ping }));
}

function isHealthy({ underlay, wires, problems }: LabStatus): boolean {
  const answers = wires.every(({ ping = [] }) => ping.every(({ rttMs }) => rttMs !== undefined));
  return (
    underlay.state === "up" && problems.length === 0 && answers && wires.every(({ state }) => state === "up")
  );
}

function printStatus(out: Output, { name, underlay, wires, problems }: LabStatus): void {
  out.line(`lab ${out.style("bold", name)}, underlay ${underlay.state}, ${count(wires.length, "wire")}`);
  for (const difference of [...underlay.differences, ...problems]) out.line(`  ! ${difference}`);
  const rows = wires.map((wire) => [
    `  ${wire.client} → ${wire.endpoint}`,
    wire.path,
    `mtu ${wire.mtuBytes}`,
    `received ${packets(wire.received.client)}/${packets(wire.received.endpoint)}`,
    ...(wire.ping === undefined ? [] : [rtt(wire)]),
    wire.state,
  ]);
  for (const [index, row] of table(rows).entries()) {
    out.line(row);
    for (const difference of wires[index]?.differences ?? []) out.line(`    ! ${difference}`);
  }
}

function packets(counters: { readonly packets: number } | undefined): string {
  return counters === undefined ? "-" : String(counters.packets);
}

function rtt({ ping = [] }: WireStatus): string {
  return ping.map(({ rttMs }) => (rttMs === undefined ? "no answer" : `${rttMs.toFixed(3)} ms`)).join(", ");
}
