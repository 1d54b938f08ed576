/** Everything about an attachment or a wire, for `netloom describe`. */
import type { Attachment, HostStatus, Wire } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { printable } from "../../text/printable.ts";
import { count, table } from "../output.ts";
import { formatAge, putRightText } from "./ages.ts";
import { type AttachmentView, attachmentView } from "../../view/attachment-view.ts";
import { toldWire } from "../../view/told-wire.ts";
import { isWireNamed } from "../../view/wire-names.ts";
import type { HopView, TunnelWayView } from "../../view/way.ts";
import type { WireView } from "../../view/wire-view.ts";
import type { ScreenLine } from "./status-screen.ts";

/** The shape of `netloom describe -o json`, with documents as YAML. */
export interface MeshDescription {
  readonly attachments: readonly (AttachmentView & { readonly document: string })[];
  readonly wires: readonly WireDescription[];
}

interface WireDescription extends WireView {
  /** Names of the path's segments, from the client on. */
  readonly stations: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Prefixes that each side reaches through the wire. */
  readonly routes: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
  readonly excludedPrefixes: readonly string[];
  readonly nameServers: readonly string[];
}

/**
 * Describes `attachments`, the wires they hold, and every wire that `name` matches: by id, its beginning, or its ends.
 */
export function describeFound(
  status: HostStatus,
  attachments: readonly Attachment[],
  name: string,
): MeshDescription {
  const views = attachments.flatMap(({ ref, document }) => {
    const known = status.attachments.find(
      (each) => each.ref?.kind === ref?.kind && each.ref?.name === ref?.name,
    );
    return known ? [{ ...attachmentView(status.host, known), document }] : [];
  });
  const isHeld = (wire: Wire): boolean =>
    wire.attachments.some((ref) => views.some(({ kind, name }) => kind === ref.kind && name === ref.name)) ||
    views.some(({ wireId }) => wireId === wire.id);
  const wires = [...status.wires, ...status.unclaimed].flatMap((wire) => {
    const view = toldWire([{ host: status.host, wire }]);
    return isHeld(wire) || isWireNamed(view, name) ? [wireDescription(view, wire)] : [];
  });
  return { attachments: views, wires };
}

function wireDescription(view: WireView, wire: Wire): WireDescription {
  const context = wire.connection?.context;
  const prefixes = (routes: readonly { readonly prefix: string }[] | undefined): string[] =>
    (routes ?? []).map(({ prefix }) => prefix);
  return {
    ...view,
    stations: (wire.connection?.path?.pathSegments ?? []).map(({ name }) => name),
    labels: { ...wire.connection?.labels },
    // In the protocol, "source" routes are those that the source's routing table gets.
    routes: {
      client: prefixes(context?.ipContext?.srcRoutes),
      endpoint: prefixes(context?.ipContext?.dstRoutes),
    },
    excludedPrefixes: [...(context?.ipContext?.excludedPrefixes ?? [])],
    nameServers: (context?.dnsContext?.configs ?? []).flatMap(({ dnsServerIps }) => dnsServerIps),
  };
}

export function descriptionScreen({ attachments, wires }: MeshDescription, nowMs: number): ScreenLine[] {
  const parts = [
    ...attachments.map((attachment) => attachmentLines(attachment, nowMs)),
    ...wires.map((wire) => wireLines(wire, nowMs)),
  ];
  return parts.flatMap((lines, index) => (index === 0 ? lines : [{ text: "" }, ...lines]));
}

function attachmentLines(
  attachment: AttachmentView & { readonly document: string },
  nowMs: number,
): ScreenLine[] {
  const { kind, name, host, state, since, reason, hint, topic, endpoint, wires, workload, attempts } =
    attachment;
  const facts = [
    ["workload", workload === undefined ? undefined : `${host}/${workload}`],
    ["services", attachment.services.join(", ")],
    ["endpoint", endpoint],
    ["wires", endpoint === undefined ? undefined : String(wires)],
    ["reason", reason],
    ["hint", hint],
    ["more", topic === undefined ? undefined : `netloom explain ${topic}`],
    ["attempts", attempts > 1 ? String(attempts) : undefined],
  ];
  return [
    { text: printable(`${kind} ${name} on ${host}: ${state} for ${formatAge(since, nowMs)}`), style: "bold" },
    ...factLines(facts),
    { text: "  conditions" },
    ...table(
      attachment.conditions.map(({ type, status, reason, message = "", lastTransitionTime }) => [
        `    ${type}`,
        status,
        printable(reason),
        formatAge(lastTransitionTime, nowMs),
        printable(message),
      ]),
    ).map((text) => ({ text: text.trimEnd() })),
    { text: "  document" },
    ...attachment.document
      .trimEnd()
      .split("\n")
      .map((line) => ({ text: printable(`    ${line}`) })),
  ];
}

function wireLines(wire: WireDescription, nowMs: number): ScreenLine[] {
  const { hops, interfaces, addresses, routes } = wire;
  const end = (side: "client" | "endpoint"): string => {
    const device = interfaces[side];
    const received = device?.received;
    return [
      ...(wire[side] === "" ? [] : [wire[side]]),
      ...(device
        ? [device.isPort ? `port ${device.interface}` : `device ${device.interface} in ${device.netns}`]
        : ["on another host"]),
      ...(addresses[side].length > 0 ? [addresses[side].join(" ")] : []),
      ...(received
        ? [`received ${count(received.packets, "packet")}, ${count(received.bytes, "byte")}`]
        : []),
    ].join(", ");
  };
  const age = wire.upSince === undefined ? "" : ` for ${formatAge(wire.upSince, nowMs)}`;
  const labels = Object.entries(wire.labels).map(([key, value]) => `${key}=${value}`);
  return [
    {
      text: printable(`wire ${wire.wire}: ${wire.state}${age}`),
      style: "bold",
    },
    ...factLines([
      ["id", wire.id],
      ["reason", wire.reason],
      ["repaired", wire.putRight && putRightText(wire.putRight, nowMs)],
      ["service", wire.service === "" ? "" : `${wire.service} (payload ${wire.payload})`],
      ["path", wire.path],
      ["tunnel", hops.flatMap(tunnelText).join("; ")],
      ["client", end("client")],
      ["endpoint", end("endpoint")],
      ["mtu", String(wire.mtuBytes)],
      ...hops.flatMap(({ tunnel }) => tunnel?.ways ?? []).map((way) => ["way", wayText(way)]),
      ["note", wire.notes.join("; ")],
      ["labels", labels.join(", ")],
      ["routes", routes.client.join(", ")],
      ["routes back", routes.endpoint.join(", ")],
      ["excluded", wire.excludedPrefixes.join(", ")],
      ["name servers", wire.nameServers.join(", ")],
      ["stations", wire.stations.join(" → ")],
      ["attachments", wire.attachments.map(({ kind, name }) => `${kind} ${name}`).join(", ")],
    ]),
  ];
}

function tunnelText({ words, tunnel }: HopView): string[] {
  return tunnel ? [`${tunnel.source} → ${tunnel.destination}, ${words}`] : [];
}

function wayText({ host, to, mtuBytes, words }: TunnelWayView): string {
  return `${host} to ${to}: ${[...(mtuBytes > 0 ? [`${mtuBytes} bytes`] : []), words].filter(Boolean).join(", ")}`;
}

/** Omits facts without a value. */
function factLines(facts: readonly (readonly (string | undefined)[])[]): ScreenLine[] {
  const rows = facts.flatMap(([name = "", value = ""]) =>
    value === "" ? [] : [[`  ${name}`, printable(value)]],
  );
  return table(rows).map((text) => ({ text }));
}
