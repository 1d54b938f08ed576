/**
 * The screen of `netloom status`: hosts, then problems with their reasons, then everything else. Pure: data and time
 * in, lines out.
 */
import { KINDS } from "../../documents/kinds.ts";
import { printable } from "../../text/printable.ts";
import { count, table, type Style } from "../output.ts";
import { formatAge, formatDuration, formatShortAge, putRightText } from "./ages.ts";
import type { AttachmentView } from "../../view/attachment-view.ts";
import { type AgentFacts, hasAgent, type HostView } from "../../view/host-view.ts";
import type { MeshView } from "../../view/mesh-view.ts";
import type { State } from "../../view/state.ts";
import type { WireView } from "../../view/wire-view.ts";

/** A line of text in one style. */
export interface ScreenLine {
  readonly text: string;
  readonly style?: Style;
}

/** Order of the states: problems come first. */
const order: readonly State[] = [
  "failed",
  "down",
  "healing",
  "requesting",
  "waiting",
  "closing",
  "unclaimed",
  "up",
];

interface Row {
  readonly state: State;
  readonly name: string;
  readonly cells: readonly string[];
  /** Lines below the row. */
  readonly remarks: readonly string[];
}

/** `wide` shows all addresses of a wire, otherwise only the first one of each end. */
export function statusScreen(view: MeshView, nowMs: number, { wide = false } = {}): ScreenLine[] {
  const rows = rowsOf(view, nowMs, wide).sort(
    (a, b) => order.indexOf(a.state) - order.indexOf(b.state) || collator.compare(a.name, b.name),
  );
  return [
    ...hostLines(view.hosts, nowMs),
    { text: summary(view) },
    ...(rows.length === 0
      ? [
          {
            text: "no documents on this host: use netloom connect, netloom expose or netloom apply -f <file>",
          },
        ]
      : [{ text: "" }, ...rowLines(rows)]),
  ];
}

function hostLines(hosts: readonly HostView[], nowMs: number): ScreenLine[] {
  const told = hosts.filter(hasAgent);
  const facts = told.map(({ host, version, startedAt, url, identity, registry }) => [
    host,
    `netloom ${version}`,
    startedAt === undefined ? "" : `for ${formatAge(startedAt, nowMs)}`,
    url,
    identity,
    registry.state === "fresh" ? `registry ${registry.url}` : "",
  ]);
  const texts = table(facts.map((row) => row.map(printable)));
  return told.flatMap((host, index): ScreenLine[] => [
    { text: texts[index] ?? "", style: "bold" },
    ...warningsOf(host, nowMs).map((text) => ({ text: `  ! ${printable(text)}`, style: "yellow" as const })),
    ...recentDrops(host, nowMs).map((text) => ({ text: `  ${printable(text)}`, style: "dim" as const })),
  ]);
}

function warningsOf({ registry, unclaimedWires, retrying }: AgentFacts, nowMs: number): string[] {
  const { url, state, staleSince, reason } = registry;
  const since = staleSince === undefined ? "" : ` for ${formatAge(staleSince, nowMs)}`;
  const because = reason === undefined ? "" : `: ${reason}`;
  return [
    ...(state === "fresh" && reason !== undefined ? [`registry ${url} refuses this host${because}`] : []),
    ...(state === "fresh" || url === "" ? [] : [`registry ${url} has not answered${since}${because}`]),
    ...(unclaimedWires === 0
      ? []
      : [`${count(unclaimedWires, "wire")} of an earlier agent that no client has requested since`]),
    ...retrying.map((each) => {
      const howLong = each.since === undefined ? "" : ` for ${formatAge(each.since, nowMs)}`;
      return `keeps trying to ${each.what}${howLong} (${count(each.failures, "failure")}): ${each.reason}`;
    }),
  ];
}

/**
 * Recent drops, not as a warning: no such packet got in. When a wire closes, a few frames of its workload always come
 * too late; they get no line.
 */
function recentDrops({ drops }: AgentFacts, nowMs: number): string[] {
  return drops
    .filter(({ reason }) => reason !== "closed")
    .filter(({ lastAt = "" }) => nowMs - Date.parse(lastAt) < RECENT_DROP_MS)
    .map(
      ({ words, packets, lastAt }) =>
        `dropped ${count(packets, "packet")}, the last ${formatAge(lastAt, nowMs)} ago: ${words} (netloom get drops)`,
    );
}

function summary({ hosts, wires, attachments }: MeshView): string {
  const bad = (views: readonly { readonly state: State }[]): string => {
    const counts = order
      .slice(0, -1)
      .map((state) => [views.filter((view) => view.state === state).length, state] as const)
      .filter(([number]) => number > 0);
    return counts.map(([number, state]) => `, ${number} ${state}`).join("");
  };
  const counted = KINDS.flatMap(({ kind, counted: what }) => {
    const own = attachments.filter((each) => each.kind === kind);
    return what === undefined ? [] : [`${own.length} ${what}${bad(own)}`];
  });
  return [
    ...(hosts.length > 1 ? [count(hosts.length, "host")] : []),
    `${count(wires.length, "wire")}${bad(wires)}`,
    ...counted,
  ].join("; ");
}

function rowsOf({ wires, attachments }: MeshView, nowMs: number, wide: boolean): Row[] {
  const there = new Set(wires.map(({ id }) => id));
  const byWire = new Map(attachments.flatMap((each) => (each.wireId ? [[each.wireId, each]] : [])));
  const rows = wires.map((wire) => wireRow(wire, { attachment: byWire.get(wire.id), nowMs, wide }));
  const without = attachments.filter(
    ({ state, wireId }) => state !== "up" || (wireId !== undefined && !there.has(wireId)),
  );
  return [
    ...rows,
    ...without.filter(({ wireId = "" }) => !there.has(wireId)).map((each) => attachmentRow(each, nowMs)),
  ];
}

function wireRow(
  wire: WireView,
  { attachment, nowMs, wide }: { attachment: AttachmentView | undefined; nowMs: number; wide: boolean },
): Row {
  const isFine = wire.state === "up";
  const { client, endpoint } = wire.addresses;
  return {
    state: wire.state,
    name: wire.wire,
    cells: [
      wire.wire,
      wire.path,
      wire.endpoint || wire.interfaces.endpoint?.interface || "-",
      addressText(client, endpoint, wide),
      wire.mtuBytes === 0 ? "-" : String(wire.mtuBytes),
      wire.state,
      formatShortAge(isFine ? wire.upSince : (attachment?.since ?? wire.upSince), nowMs),
    ],
    // There may be many unclaimed wires; their host's line explains them.
    remarks:
      wire.state === "unclaimed"
        ? []
        : [
            ...(isFine ? [] : remarksOf({ ...attachment, reason: attachment?.reason ?? wire.reason }, nowMs)),
            ...wire.notes,
            ...recentMends(wire, nowMs),
          ],
  };
}

/** A remark if another program has changed the wire lately. */
function recentMends({ putRight }: WireView, nowMs: number): string[] {
  if (!putRight || nowMs - Date.parse(putRight.lastAt) > LATELY_MS) return [];
  return [`changed by others and repaired ${putRightText(putRight, nowMs)}`];
}

function attachmentRow(attachment: AttachmentView, nowMs: number): Row {
  const { host, name, services, state, since, endpoint, wireId, workload } = attachment;
  const place = workload === undefined ? host : `${host}/${workload}`;
  // An attachment that requests a wire is listed by the wire's place.
  const isAsking = wireId !== undefined;
  const what = `${place} (${name})`;
  const whom = isAsking ? services.join(" ") : (endpoint ?? "-");
  return {
    state,
    name: what,
    cells: [what, "-", whom === "" ? "-" : whom, "-", "-", state, formatShortAge(since, nowMs)],
    remarks: remarksOf(attachment, nowMs),
  };
}

function remarksOf(
  {
    reason,
    hint,
    topic,
    nextTry,
    attempts = 1,
  }: { [K in keyof AttachmentView]?: AttachmentView[K] | undefined },
  nowMs: number,
): string[] {
  const again =
    nextTry === undefined
      ? ""
      : `, tried again in ${formatDuration(Math.max(1000, Date.parse(nextTry) - nowMs))}`;
  const tries = attempts > 1 ? ` (${attempts} attempts${again})` : "";
  return [
    ...(reason === undefined ? [] : [`${reason}${topic === undefined ? "" : ` [${topic}]`}${tries}`]),
    ...(hint === undefined ? [] : [`hint: ${hint}`]),
  ];
}

function addressText(client: readonly string[], endpoint: readonly string[], wide: boolean): string {
  if (wide) return `${client.join(" ") || "-"} → ${endpoint.join(" ") || "-"}`;
  const more = Math.max(client.length, endpoint.length) - 1;
  return `${client[0] ?? "-"} → ${endpoint[0] ?? "-"}${more > 0 ? ` +${more}` : ""}`;
}

const LATELY_MS = 3_600_000;
const RECENT_DROP_MS = 600_000;

const heading = ["WIRE", "PATH", "ENDPOINT", "ADDRESSES", "MTU", "STATE", "AGE"];

function rowLines(rows: readonly Row[]): ScreenLine[] {
  const [head = "", ...texts] = table([heading, ...rows.map(({ cells }) => cells.map(printable))]);
  return [
    { text: `  ${head}`, style: "dim" },
    ...rows.flatMap(({ state, remarks }, index): ScreenLine[] => {
      const isUp = state === "up";
      const style = state === "failed" || state === "down" ? "red" : "yellow";
      return [
        { text: `${isUp ? " " : "!"} ${texts[index] ?? ""}`, ...(!isUp && { style }) },
        ...remarks
          .flatMap((remark) => remark.split("\n"))
          .map((remark) => ({ text: `    ${printable(remark)}` })),
      ];
    }),
  ];
}

/** Compares digits as numbers: `w2` comes before `w10`. */
const collator = new Intl.Collator("en", { numeric: true });
