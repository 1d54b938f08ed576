/** Descriptions of wires for people, from the forwarder's wires and the connections' paths. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { AttachmentController } from "../../attachments/attachment-controller.ts";
import type { Reachability } from "../../attachments/reachability.ts";
import type { Mended } from "../drift/mends.ts";
import type { MadeWire } from "../kept-wires.ts";
import type { Unclaimed } from "../unclaimed.ts";
import {
  type Hop,
  HopSchema,
  type PutRight,
  type Ref,
  PutRightSchema,
  RefSchema,
  type Wire,
  Wire_State,
  type WireEnd,
  WireEndSchema,
  type WirePath,
  WirePathSchema,
  WireSchema,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { copyMessage } from "../../api/copy-message.ts";
import { clientWorkloadOf, hostsOf } from "../../elements/path/path-hosts.ts";
import { stationsOf, wireIdOf } from "../../elements/wires/wire-id.ts";
import { wireMtu } from "../../forwarder/plan/plan.ts";
import type { Wire as Made } from "../../forwarder/wire.ts";
import type { ToldWay } from "../../forwarder/ways/tunnel-ways.ts";
import { endOf, isBorrowed, REMOTE_TYPES, remoteTypeOf, typeOf } from "../../mechanisms/list.ts";
import type { RemoteType, WorkloadDevice } from "../../mechanisms/mechanism-type.ts";
import type { Side } from "../../mechanisms/side.ts";
import type { AdminParts } from "./admin-parts.ts";

/** The sides in the order of a wire's hops. */
const SIDES = ["client", "endpoint"] as const;

/** All wires with an end on this host, in the order in which they were made. */
export function describeWires(parts: AdminParts): Wire[] {
  const connections = new Map(parts.forwarder.established().map((each) => [wireIdOf(each), each]));
  const byId = byWire(parts.attachments.all());
  return [...parts.wires.made].map(([id, made]) => {
    const connection = connections.get(id);
    const attached = byId.get(id) ?? [];
    const portDown = attached.map((each) => each.attached.whyDown).find((why) => why !== undefined);
    const whyDown = (connection && parts.forwarder.whyDown(connection.id)) ?? portDown;
    const mended = parts.wires.mended(id);
    const reachability = parts.wires.reachability(id);
    return describeWire(parts, { made, connection, whyDown, attached, mended, reachability });
  });
}

/** The unclaimed wires of this host, described by their devices. */
export function describeUnclaimed({ attachments, wires, world }: AdminParts): Wire[] {
  const all = attachments.all();
  return [...wires.found].map(([id, found]) => {
    const connect = all.find((each) => each.connectionId === id);
    return unclaimedWire(world.host, { id, found, connect });
  });
}

function unclaimedWire(
  host: string,
  given: {
    readonly id: string;
    readonly found: Unclaimed;
    readonly connect: AttachmentController | undefined;
  },
): Wire {
  const { id, found, connect } = given;
  const { client, endpoint } = found.ends;
  const clientEnd = client && endMessage(client, connect?.workload, client.isPort ?? false);
  return create(WireSchema, {
    id,
    state: Wire_State.UNCLAIMED,
    client: clientEnd ? `${host}/${clientEnd.workload}` : "",
    ...(clientEnd && { clientEnd }),
    ...(endpoint && { endpointEnd: endMessage(endpoint, undefined, endpoint.isPort ?? false) }),
    path: pathMessage(
      [],
      SIDES.flatMap((side) =>
        found.tunnels
          .filter((tunnel) => (tunnel.side ?? "endpoint") === side)
          .flatMap((tunnel) => {
            const type = REMOTE_TYPES.find((each) => each.type === tunnel.type);
            return type ? [tunnelHop(side, { ...tunnel, type, localHost: host, remoteHost: "" })] : [];
          }),
      ),
      { host, carriers: ["veth"] },
    ),
    mtu: found.mtuBytes,
    clientAddresses: [...(client?.addresses ?? [])],
    endpointAddresses: [...(endpoint?.addresses ?? [])],
    attachments: connect ? [refMessage(connect.spec)] : [],
  });
}

/** An attachment, and the end of the wire at which its workload stands. */
interface AtWire {
  readonly attached: AttachmentController;
  readonly side: Side;
}

/** The attachments of each wire, by the wire's id: the client's, even before the wire is up, and the endpoint's. */
function byWire(attachments: readonly AttachmentController[]): Map<string, AtWire[]> {
  const wires = new Map<string, AtWire[]>();
  for (const attached of attachments)
    for (const [id, side] of new Map<string, Side>([[attached.connectionId, "client"], ...attached.wires]))
      wires.set(id, [...(wires.get(id) ?? []), { attached, side }]);
  return wires;
}

function describeWire(
  { world, tunnelling }: AdminParts,
  given: {
    readonly made: MadeWire;
    readonly connection: Connection | undefined;
    readonly whyDown: string | undefined;
    readonly attached: readonly AtWire[];
    readonly mended: Mended | undefined;
    readonly reachability: Reachability | undefined;
  },
): Wire {
  const { made, connection, whyDown, attached, mended, reachability } = given;
  const { wire } = made;
  const stations = connection ? stationsOf(connection) : [];
  const hosts = hostsOf(stations);
  const workloadAt = (end: Side): string | undefined =>
    attached.find(({ side }) => side === end)?.attached.workload;
  return create(WireSchema, {
    id: wire.connectionId,
    service: connection?.networkService ?? "",
    payload: connection?.payload ?? "",
    client: stations[0]?.name ?? "",
    endpoint: connection?.networkServiceEndpointName ?? "",
    state: connection && whyDown === undefined ? Wire_State.UP : Wire_State.DOWN,
    reason: whyDown ?? "",
    ...ends(wire, { client: workloadAt("client"), endpoint: workloadAt("endpoint") }),
    path: pathMessage(
      hosts,
      tunnelHops(wire, {
        hosts,
        host: world.host,
        wayTo: (towards) => connection && tunnelling.ways.told({ connectionId: connection.id, towards }),
      }),
      { host: world.host, carriers: [wire.client, wire.endpoint].map((end) => typeOf(end).carrier) },
    ),
    clientWorkload: clientWorkloadOf(stations),
    mtu: wireMtu(wire),
    clientAddresses: [...(wire.context.srcIpAddrs ?? [])],
    endpointAddresses: [...(wire.context.dstIpAddrs ?? [])],
    ...(connection && { connection: withoutTokens(connection) }),
    attachments: attached.map(({ attached: { spec } }) => refMessage(spec)),
    upSince: timestampFromMs(made.sinceMs),
    ...(mended && { putRight: putRightMessage(mended) }),
    ...(reachability && { reachable: { type: "Reachable", ...reachability } }),
  });
}

function putRightMessage({ count, lastMs, what }: Mended): PutRight {
  return create(PutRightSchema, { count, lastAt: timestampFromMs(lastMs), last: what });
}

export function refMessage({ kind, name }: { readonly kind: string; readonly name: string }): Ref {
  return create(RefSchema, { kind, name });
}

function ends(
  wire: Made,
  workloads: Readonly<Record<Side, string | undefined>>,
): { clientEnd?: WireEnd; endpointEnd?: WireEnd } {
  const end = (side: Side): WireEnd | undefined => {
    const device = endOf(wire[side]);
    return device && endMessage(device, workloads[side], isBorrowed(wire[side]));
  };
  const [client, endpoint] = [end("client"), end("endpoint")];
  return { ...(client && { clientEnd: client }), ...(endpoint && { endpointEnd: endpoint }) };
}

function endMessage(
  { netns, interfaceName }: WorkloadDevice,
  workload: string | undefined,
  isPort: boolean,
): WireEnd {
  return create(WireEndSchema, {
    netns,
    interface: interfaceName,
    workload: isPort ? interfaceName : workload || nameOfNetns(netns),
    isPort,
  });
}

function nameOfNetns(netns: string): string {
  return /^file:\/\/.*\/([^/]+)$/.exec(netns)?.[1] ?? netns;
}

/** The path of a wire. A wire without a tunnel has one hop, inside of the host. */
function pathMessage(
  hosts: readonly string[],
  tunnels: readonly Hop[],
  { host, carriers }: { readonly host: string; readonly carriers: readonly string[] },
): WirePath {
  const inside = create(HopSchema, { from: host, to: host, carriers: [...new Set(carriers)] });
  return create(WirePathSchema, {
    hosts: [...hosts],
    hops: tunnels.length > 0 ? [...tunnels] : [inside],
  });
}

/** The tunnels of a wire, in the order from the client to the endpoint. */
function tunnelHops(
  wire: Made,
  {
    hosts,
    host,
    wayTo,
  }: {
    readonly hosts: readonly string[];
    readonly host: string;
    readonly wayTo: (side: Side) => ToldWay | undefined;
  },
): Hop[] {
  const own = hosts.indexOf(host);
  return SIDES.flatMap((side) => {
    const mechanism = wire[side];
    const type = remoteTypeOf(mechanism);
    if (!type) return [];
    const { source, destination } = type.vteps(mechanism);
    const [local, remote] = side === "client" ? [destination, source] : [source, destination];
    const next = own < 0 ? undefined : hosts[side === "client" ? own - 1 : own + 1];
    return [
      tunnelHop(side, {
        type,
        id: type.idOf(mechanism),
        parameters: type.write(mechanism),
        local,
        remote,
        localHost: host,
        remoteHost: next ?? "",
        way: wayTo(side),
      }),
    ];
  });
}

/** This host's end of a tunnel that leads to `side` of the wire. */
interface TunnelHere {
  readonly type: RemoteType;
  readonly id: number;
  readonly parameters: Record<string, string>;
  readonly local: string;
  readonly remote: string;
  readonly localHost: string;
  readonly remoteHost: string;
  readonly way?: ToldWay | undefined;
}

function tunnelHop(side: Side, here: TunnelHere): Hop {
  const { type, id, parameters, local, remote, localHost, remoteHost, way } = here;
  const isForth = side === "endpoint";
  return create(HopSchema, {
    from: isForth ? localHost : remoteHost,
    to: isForth ? remoteHost : localHost,
    carriers: [type.carrier],
    identifier: { name: type.identifier.key, value: id },
    tunnel: {
      type: type.type,
      parameters,
      source: isForth ? local : remote,
      destination: isForth ? remote : local,
      ways: way ? [{ host: localHost, to: way.to, mtu: way.widthBytes, words: way.words }] : [],
    },
  });
}

function withoutTokens(connection: Connection): Connection {
  const copy = copyMessage(connection);
  for (const segment of copy.path?.pathSegments ?? []) segment.token = "";
  return copy;
}
