/** `netloom get drops`: the frames that the data paths of hosts have dropped, with reason and sender. */
import { stringify } from "yaml";
import { printableYaml } from "../../text/yaml-text.ts";
import type { DropView, OffenceView, StrangerView } from "../../view/drop-view.ts";
import { hasAgent } from "../../view/host-view.ts";
import { meshView, type MeshView } from "../../view/mesh-view.ts";
import { count, type Output, table } from "../output.ts";
import type { AgentClient } from "./agent-access.ts";
import { formatAge } from "./ages.ts";
import { askStatus } from "./ask-status.ts";

/** The shape of `netloom get drops -o json`. */
interface DropsView {
  readonly drops: readonly (DropView & OnHost)[];
  readonly strangers: readonly (StrangerView & OnHost)[];
  readonly offences: readonly (SentOffence & OnHost)[];
}

/** With the name of the wire and of the sender, for people. */
interface SentOffence extends OffenceView {
  readonly wireName?: string;
  readonly sender?: string;
}

interface OnHost {
  readonly host: string;
}

export async function printDrops(
  out: Output,
  agents: readonly AgentClient[],
  format: "text" | "json" | "yaml" | "name",
): Promise<void> {
  const view = dropsView(meshView(await askStatus(agents)));
  if (format === "json") return out.json(view);
  if (format === "yaml") return out.write(printableYaml(stringify(view)));
  if (format === "name") return view.drops.forEach(({ host, reason }) => out.line(`${host}/${reason}`));
  for (const line of dropLines(view, Date.now())) out.line(line);
}

export function dropsView(mesh: MeshView): DropsView {
  const hosts = mesh.hosts.filter(hasAgent);
  return {
    drops: hosts.flatMap(({ host, drops }) => drops.map((drop) => ({ host, ...drop }))),
    strangers: hosts.flatMap(({ host, strangers }) => strangers.map((each) => ({ host, ...each }))),
    offences: hosts.flatMap(({ host, offences }) => offences.map((each) => ({ host, ...sent(mesh, each) }))),
  };
}

function sent({ wires }: MeshView, offence: OffenceView): SentOffence {
  const wire = wires.find(({ id }) => id === offence.wire);
  if (!wire) return offence;
  return { ...offence, wireName: wire.wire, sender: offence.side === "client" ? wire.client : wire.endpoint };
}

export function dropLines({ drops, strangers, offences }: DropsView, nowMs: number): string[] {
  if (drops.length === 0) return ["nothing was dropped"];
  const rows = drops.map(({ host, reason, packets, lastAt, words }) => [
    host,
    reason,
    String(packets),
    `${formatAge(lastAt, nowMs)} ago`,
    words,
  ]);
  return [
    ...table([["HOST", "REASON", "PACKETS", "LAST", "WHAT"], ...rows]),
    ...strangerLines(strangers),
    ...offenceLines(offences),
  ];
}

function strangerLines(strangers: DropsView["strangers"]): string[] {
  if (strangers.length === 0) return [];
  const senders = [...Map.groupBy(strangers, senderOf).values()].flatMap((all) => {
    const [first] = all;
    if (!first) return [];
    const { host, source, destination, port } = first;
    const packets = all.reduce((sum, each) => sum + each.packets, 0);
    return [{ packets, cells: [host, source, destination, String(port), vnisText(all), String(packets)] }];
  });
  senders.sort((a, b) => b.packets - a.packets);
  const heading = ["HOST", "FROM", "TO", "UDP PORT", "VNI", "PACKETS"];
  return [
    "",
    `${count(senders.length, "sender")} of unknown tunnel packets, the latest ones:`,
    ...table([heading, ...senders.map(({ cells }) => cells)]),
  ];
}

function offenceLines(offences: DropsView["offences"]): string[] {
  if (offences.length === 0) return [];
  const rows = offences.map(
    ({ host, wire = "-", wireName = wire, side = "-", sender = side, reason, packets }) => [
      host,
      wireName,
      sender,
      reason,
      String(packets),
    ],
  );
  return [
    "",
    "senders of packets that a wire refused, the latest ones:",
    ...table([["HOST", "WIRE", "SENT BY", "REASON", "PACKETS"], ...rows]),
  ];
}

function senderOf({ host, source, destination, port }: StrangerView & OnHost): string {
  return JSON.stringify([host, source, destination, port]);
}

/** A sender that tries all VNIs takes one line. */
function vnisText(all: readonly StrangerView[]): string {
  const vnis = all.map(({ vni }) => vni).toSorted((a, b) => a - b);
  if (vnis.length <= MOST_VNIS) return vnis.join(" ");
  return `${vnis.length} from ${vnis[0]} to ${vnis.at(-1)}`;
}

const MOST_VNIS = 5;
