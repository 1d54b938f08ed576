/** The screen of `netloom lab status`. */
import type { LabStatus } from "../../lab/lab.ts";
import type { Side } from "../../mechanisms/side.ts";
import { endName, type WireView } from "../../view/wire-view.ts";
import { count, type Output, table } from "../output.ts";

/** Returns whether everything of the lab exists and every ping was answered. */
export function isHealthy({ underlay, wires, problems }: LabStatus): boolean {
  const answers = wires.every(({ ping = [] }) => ping.every(({ rttMs }) => rttMs !== undefined));
  const isUp = wires.every(({ state }) => state === "up");
  return underlay.state === "up" && problems.length === 0 && answers && isUp;
}

export function printLab(out: Output, { name, underlay, wires, problems }: LabStatus): void {
  out.line(`lab ${out.style("bold", name)}, underlay ${underlay.state}, ${count(wires.length, "wire")}`);
  for (const difference of [...underlay.differences, ...problems]) out.line(`  ! ${difference}`);
  const rows = wires.map((wire) => [
    `  ${endName(wire, "client")} → ${endName(wire, "endpoint")}`,
    wire.path,
    `mtu ${wire.mtuBytes}`,
    `received ${packets(wire, "client")}/${packets(wire, "endpoint")}`,
    ...(wire.ping === undefined ? [] : [rtt(wire)]),
    wire.state,
  ]);
  for (const [index, row] of table(rows).entries()) {
    const { reason, differences = [] } = wires[index] ?? {};
    out.line(row);
    for (const remark of [...(reason === undefined ? [] : [reason]), ...differences])
      out.line(`    ! ${remark}`);
  }
}

function packets({ interfaces }: WireView, side: Side): string {
  return String(interfaces[side]?.received?.packets ?? "-");
}

function rtt({ ping = [] }: WireView): string {
  return ping.map(({ rttMs }) => (rttMs === undefined ? "no answer" : `${rttMs.toFixed(3)} ms`)).join(", ");
}
