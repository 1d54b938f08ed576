/** Wires as people see them, from what the forwarder has made and what the path says. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Attached } from "../agent/attached.ts";
import type { MadeWire } from "../agent/kept-wires.ts";
import type { Unclaimed } from "../agent/unclaimed.ts";
import {
  type Ref,
  RefSchema,
  type Tunnel,
  TunnelSchema,
  type Wire,
  Wire_State,
  type WireEnd,
  WireEndSchema,
  WireSchema,
} from "../api/gen/netloom/admin/v1/admin_pb.js";
import type { Connection } from "../api/gen/nsm/connection_pb.js";
import { copyMessage } from "../api/copy-message.ts";
import { stationsOf, wireIdOf } from "../elements/wire-id.ts";
import { wireMtu } from "../forwarder/plan.ts";
import type { Wire as Made } from "../forwarder/wire.ts";
import { deviceOf, remoteTypeOf } from "../mechanisms/list.ts";
import type { Side } from "../mechanisms/side.ts";
import type { AdminParts } from "./admin-parts.ts";

/** All wires with an end on this host, in the order in which they were made. */
export function describeWires(parts: AdminParts): Wire[] {
  const connections = new Map(parts.forwarder.established().map((each) => [wireIdOf(each), each]));
  const attachments = byWire(parts.agent.attachments());
  return [...parts.wires.made].map(([id, made]) => {
    const connection = connections.get(id);
    const whyDown = connection && parts.forwarder.whyDown(connection.id);
    return describeWire(parts, { made, connection, whyDown, attached: attachments.get(id) ?? [] });
  });
}

/** Wires that an earlier life has left on this host, and that nobody has asked for since, as their devices tell of them. */
export function describeUnclaimed({ agent, wires, world }: AdminParts): Wire[] {
  const attachments = agent.attachments();
  return [...wires.found].map(([id, found]) =>
    unclaimedWire(world.host, { id, found, connect: attachments.find((each) => each.connectionId === id) }),
  );
}

function unclaimedWire(
  host: string,
  given: { readonly id: string; readonly found: Unclaimed; readonly connect: Attached | undefined },
): Wire {
  const { id, found, connect } = given;
  const { client, endpoint } = found.ends;
  const clientEnd = client && endMessage(client, connect?.workload.split("/")[1]);
  const tunnels = found.tunnels.map(({ type, parameters, words, local, remote }) =>
    create(TunnelSchema, { type, parameters, words, local, remote, localHost: host }),
  );
  return create(WireSchema, {
    id,
    state: Wire_State.UNCLAIMED,
    client: clientEnd ? `${host}/${clientEnd.workload}` : "",
    ...(clientEnd && { clientEnd }),
    ...(endpoint && { endpointEnd: endMessage(endpoint, undefined) }),
    tunnels,
    mtu: found.mtuBytes,
    clientAddresses: [...(client?.addresses ?? [])],
    endpointAddresses: [...(endpoint?.addresses ?? [])],
    attachments: connect ? [refMessage(connect.wish)] : [],
    path: pathOf(
      tunnels.map((tunnel, i) => ({ tunnel, side: found.tunnels[i]?.side ?? "endpoint" })),
      host,
    ),
  });
}

function byWire(attachments: readonly Attached[]): Map<string, Attached[]> {
  const wires = new Map<string, Attached[]>();
  for (const attached of attachments)
    for (const id of attached.wireIds) wires.set(id, [...(wires.get(id) ?? []), attached]);
  return wires;
}

function describeWire(
  { world, agent }: AdminParts,
  given: {
    readonly made: MadeWire;
    readonly connection: Connection | undefined;
    readonly whyDown: string | undefined;
    readonly attached: readonly Attached[];
  },
): Wire {
  const { made, connection, whyDown, attached } = given;
  const { wire } = made;
  const stations = connection ? stationsOf(connection).map(({ name }) => name) : [];
  const workloadAt = (end: Side): string | undefined =>
    attached.find(({ wish }) => agent.kinds.of(wish).end === end)?.workload.split("/")[1];
  const client = stations[0] ?? "";
  const tunnels = tunnelsOf(wire, stations, world.host);
  return create(WireSchema, {
    id: wire.connectionId,
    service: connection?.networkService ?? "",
    payload: connection?.payload ?? "",
    client,
    endpoint: connection?.networkServiceEndpointName ?? "",
    state: connection && whyDown === undefined ? Wire_State.UP : Wire_State.DOWN,
    reason: whyDown ?? "",
    ...ends(wire, {
      client: workloadAt("client") ?? client.split("/")[1],
      endpoint: workloadAt("endpoint"),
    }),
    tunnels: tunnels.map(({ tunnel }) => tunnel),
    mtu: wireMtu(wire),
    clientAddresses: [...(wire.context.srcIpAddrs ?? [])],
    endpointAddresses: [...(wire.context.dstIpAddrs ?? [])],
    ...(connection && { connection: withoutTokens(connection) }),
    attachments: attached.map(({ wish }) => refMessage(wish)),
    upSince: timestampFromMs(made.sinceMs),
    path: pathOf(tunnels, world.host),
  });
}

export function refMessage({ kind, name }: { readonly kind: string; readonly name: string }): Ref {
  return create(RefSchema, { kind, name });
}

function ends(
  wire: Made,
  workloads: Readonly<Record<Side, string | undefined>>,
): { clientEnd?: WireEnd; endpointEnd?: WireEnd } {
  const [client, endpoint] = [deviceOf(wire.client), deviceOf(wire.endpoint)];
  return {
    ...(client && { clientEnd: endMessage(client, workloads.client) }),
    ...(endpoint && { endpointEnd: endMessage(endpoint, workloads.endpoint) }),
  };
}

function endMessage(
  { netns, interfaceName }: NonNullable<ReturnType<typeof deviceOf>>,
  workload: string | undefined,
): WireEnd {
  return create(WireEndSchema, {
    netns,
    interface: interfaceName,
    workload: workload || nameOfNetns(netns),
  });
}

function nameOfNetns(netns: string): string {
  return /^file:\/\/.*\/([^/]+)$/.exec(netns)?.[1] ?? netns;
}

interface TunnelOfWire {
  readonly tunnel: Tunnel;
  /** To which it leads from this host. */
  readonly side: Side;
}

/** Hosts are named by the managers of the path: `manager-alpha`. */
function tunnelsOf(wire: Made, path: readonly string[], host: string): TunnelOfWire[] {
  const hosts = path.flatMap((name) => /^manager-(.+)$/.exec(name)?.[1] ?? []);
  const own = hosts.indexOf(host);
  return (["client", "endpoint"] as const).flatMap((side) => {
    const mechanism = wire[side];
    const type = remoteTypeOf(mechanism);
    if (!type) return [];
    const { source, destination } = type.vteps(mechanism);
    const [local, remote] = side === "client" ? [destination, source] : [source, destination];
    const tunnel = create(TunnelSchema, {
      type: type.type,
      parameters: type.write(mechanism),
      words: type.words(mechanism),
      local,
      remote,
      localHost: host,
      remoteHost: hosts[side === "client" ? own - 1 : own + 1] ?? "",
    });
    return [{ tunnel, side }];
  });
}

/** From the client to the endpoint: `vxlan vni 4242 alpha→beta`. */
function pathOf(tunnels: readonly TunnelOfWire[], host: string): string {
  const parts = tunnels.map(({ tunnel: { words, localHost, remoteHost, remote }, side }) => {
    const other = remoteHost || remote;
    const [from, to] = side === "client" ? [other, localHost] : [localHost, other];
    return `${words} ${from}→${to}`;
  });
  return parts.join(", ") || `veth on ${host}`;
}

function withoutTokens(connection: Connection): Connection {
  const copy = copyMessage(connection);
  for (const segment of copy.path?.pathSegments ?? []) segment.token = "";
  return copy;
}
