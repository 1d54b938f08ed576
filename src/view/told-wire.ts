/** Joins the reports of agents about a wire. Each host knows its own end, and the tunnels that begin or end there. */
import {
  type Hop,
  type Wire,
  Wire_State,
  type WireEnd,
  type WirePath,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import { type ConditionView, conditionView } from "./condition-view.ts";
import { isoTime } from "./iso-time.ts";
import { optional } from "./optional.ts";
import type { State } from "./state.ts";
import { mtuNotes } from "./mtu-notes.ts";
import { hopOf, type HopView, pathWords, wayOf } from "./way.ts";
import type { InterfaceView, PutRightView, WireView } from "./wire-view.ts";

/** A wire in the status of `host`. */
export interface ToldWire {
  readonly host: string;
  readonly wire: Wire;
}

/**
 * Joins the reports of a wire's hosts, in any order. A host that has it as an unclaimed wire adds only values that no other
 * host reports. If the wire passes a host of `asked` that does not report it, that is a difference.
 */
export function toldWire(told: readonly ToldWire[], asked: ReadonlySet<string> = new Set()): WireView {
  const hosts = longest(told.map(({ wire }) => wire.path?.hosts ?? []));
  const along = [...told].sort((a, b) => placeOn(hosts, a) - placeOn(hosts, b) || compare(a.host, b.host));
  const claimed = along.filter(({ wire }) => wire.state !== Wire_State.UNCLAIMED);
  const wires = [...claimed, ...along.filter((each) => !claimed.includes(each))].map(({ wire }) => wire);
  const say = (read: (wire: Wire) => string): string => wires.map(read).find((text) => text !== "") ?? "";
  const [name, endpoint] = [say(({ client }) => client), say((wire) => wire.endpoint)];
  const interfaces = {
    ...optional("client", interfaceOf(along, "clientEnd")),
    ...optional("endpoint", interfaceOf(along, "endpointEnd")),
  };
  const hops = wayOf(
    hosts,
    along.map(({ wire }) => hopsOf(wire.path)),
  );
  const differences = hosts.flatMap((host, i) => {
    if (!asked.has(host) || told.some((each) => each.host === host)) return [];
    if (i > 0 && i < hosts.length - 1) return [`missing: the part on ${host}`];
    return [`missing: the half of ${i === 0 ? name : endpoint || "the endpoint"}`];
  });
  const id = wires[0]?.id ?? "";
  const mtus = wires.flatMap(({ mtu }) => (mtu === 0 ? [] : [mtu]));
  const mtuBytes = mtus.length === 0 ? 0 : Math.min(...mtus);
  const { client } = interfaces;
  const said = say((wire) => wire.clientWorkload);
  // The workload's name may differ from the client's name in the path, as with a function.
  const place = client && said !== "" ? `${client.host}/${client.workload}` : name;
  return {
    wire: wireName(client ? place : name, client) || id,
    id,
    service: say(({ service }) => service),
    client: name,
    endpoint,
    ...optional("clientWorkload", client?.workload ?? said),
    path: pathWords(hops),
    hosts,
    hops,
    addresses: {
      client: addressesOf(wires, ({ clientAddresses }) => clientAddresses),
      endpoint: addressesOf(wires, ({ endpointAddresses }) => endpointAddresses),
    },
    mtuBytes,
    notes: mtuNotes(mtuBytes, hops),
    payload: say(({ payload }) => payload),
    state: differences.length > 0 ? "down" : stateOf(claimed),
    ...optional("upSince", isoTime(wires.find(({ upSince }) => upSince)?.upSince)),
    ...optional(
      "reason",
      wires.map(reasonOf).find((reason) => reason !== undefined),
    ),
    interfaces,
    attachments: along.flatMap(({ host, wire }) =>
      wire.attachments.map(({ kind, name }) => ({ host, kind, name })),
    ),
    differences,
    ...optional("reachable", reachableOf(wires)),
    ...optional("putRight", putRightOf(along)),
  };
}

/** The report that counts: `False` before `True` before `Unknown`. */
function reachableOf(wires: readonly Wire[]): ConditionView | undefined {
  const all = wires.flatMap(({ reachable }) => (reachable ? [conditionView(reachable)] : []));
  return ["False", "True", "Unknown"].flatMap(
    (status) => all.find((each) => each.status === status) ?? [],
  )[0];
}

function putRightOf(told: readonly ToldWire[]): PutRightView | undefined {
  const all = told.flatMap(({ host, wire: { putRight } }) => {
    const lastAt = isoTime(putRight?.lastAt);
    return putRight && lastAt !== undefined ? [{ host, putRight, lastAt }] : [];
  });
  const [latest] = all.toSorted((a, b) => compare(b.lastAt, a.lastAt));
  if (!latest) return undefined;
  const count = all.reduce((sum, { putRight }) => sum + putRight.count, 0);
  return { count, lastAt: latest.lastAt, last: `${latest.host}: ${latest.putRight.last}` };
}

/** The client's name with its device. A port is its own device. */
function wireName(client: string, device: InterfaceView | undefined): string {
  return device && device.isPort !== true ? `${client}/${device.interface}` : client;
}

/** A path in words and as data. */
export type PathView = Pick<WireView, "path" | "hops">;

/** The path in the report of one host. */
export function pathView(path: WirePath | undefined): PathView {
  const hops = wayOf(path?.hosts ?? [], [hopsOf(path)]);
  return { path: pathWords(hops), hops };
}

function hopsOf(path: WirePath | undefined): HopView[] {
  return path?.hops.map(hopView) ?? [];
}

/** Position of a report on the path from the client to the endpoint. */
function placeOn(hosts: readonly string[], { host, wire }: ToldWire): number {
  if (wire.clientEnd) return -1;
  return wire.endpointEnd ? hosts.length : hosts.indexOf(host);
}

function longest(lists: readonly (readonly string[])[]): readonly string[] {
  // All hosts of the wire report the same list, unless the wire is changing.
  const [first = []] = [...lists].sort((a, b) => b.length - a.length || compare(a.join("\n"), b.join("\n")));
  return first;
}

function compare(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

function interfaceOf(
  told: readonly ToldWire[],
  side: "clientEnd" | "endpointEnd",
): InterfaceView | undefined {
  const found = told.find(({ wire }) => wire[side]);
  return found && interfaceView(found.host, found.wire[side]);
}

function interfaceView(host: string, end: WireEnd | undefined): InterfaceView | undefined {
  if (!end) return undefined;
  const { workload, netns, received } = end;
  const counters = received && { packets: Number(received.packets), bytes: Number(received.bytes) };
  const device = { host, workload, netns, interface: end.interface };
  return { ...device, ...(end.isPort && { isPort: true as const }), ...optional("received", counters) };
}

function hopView({ from, to, carriers, identifier, tunnel }: Hop): HopView {
  return hopOf({
    from,
    to,
    carriers,
    ...(identifier && { identifier: { name: identifier.name, value: identifier.value } }),
    ...(tunnel && {
      tunnel: {
        type: tunnel.type,
        parameters: tunnel.parameters,
        source: tunnel.source,
        destination: tunnel.destination,
        ways: tunnel.ways.map(({ host, to: end, mtu, words }) => ({ host, to: end, mtuBytes: mtu, words })),
      },
    }),
  });
}

/** Addresses of an end, without a prefix length of 32 or 128, which adds nothing. */
function addressesOf(wires: readonly Wire[], read: (wire: Wire) => readonly string[]): string[] {
  const told = wires.map(read).find((addresses) => addresses.length > 0) ?? [];
  return told.map((address) => address.replace(/\/(32|128)$/, ""));
}

function stateOf(claimed: readonly ToldWire[]): State {
  if (claimed.length === 0) return "unclaimed";
  return claimed.every(({ wire }) => wire.state === Wire_State.UP) ? "up" : "down";
}

/** The reason why a wire is down although its devices exist. */
function reasonOf({ state, connection, reason }: Wire): string | undefined {
  if (state === Wire_State.UP) return undefined;
  if (state === Wire_State.UNCLAIMED)
    return "no client has requested it since this agent started; it is removed if none does";
  return connection
    ? reason || "a station on its path reports that it is down; it is healed if its client still requests it"
    : "it has no connection: it is still being made, or its devices could not be removed yet";
}
