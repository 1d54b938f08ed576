/** What agents say of their hosts, put together: the shape of `netloom status -o json`, and what the screens are made of. */
import {
  type AttachmentStatus,
  AttachmentStatus_State,
  type HostStatus,
  RegistryStatus_State,
  type Tunnel,
  type Wire,
  Wire_State,
  type WireEnd,
} from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { isoTime } from "./ages.ts";

export type State = "up" | "down" | "unclaimed" | "waiting" | "requesting" | "healing" | "failed" | "closing";

export interface HostView {
  readonly host: string;
  readonly version: string;
  readonly url: string;
  readonly startedAt?: string;
  /** What it proves itself with: `plaintext` if nothing is proven. */
  readonly identity: string;
  readonly registry: RegistryView;
  /** Wires that an earlier process has left, and that nobody has asked for since. */
  readonly unclaimedWires: number;
  /** The oldest first. */
  readonly retrying: readonly RetryingView[];
  /** By name. */
  readonly gauges: Readonly<Record<string, number>>;
}

/** Something that a host's process keeps trying. */
interface RetryingView {
  readonly what: string;
  readonly since?: string;
  readonly failures: number;
  readonly reason: string;
}

interface RegistryView {
  readonly url: string;
  readonly state: "unknown" | "fresh" | "stale";
  readonly reason?: string;
  readonly staleSince?: string;
  readonly services: number;
  readonly endpoints: number;
}

export interface AttachmentView {
  readonly host: string;
  readonly kind: string;
  readonly name: string;
  readonly state: State;
  readonly since?: string;
  readonly workload?: string;
  readonly services: readonly string[];
  /** Of a Connect. */
  readonly wireId?: string;
  /** Of an Expose: its name in the registry. */
  readonly endpoint?: string;
  readonly wires: number;
  /** Why it is not up. */
  readonly reason?: string;
  readonly hint?: string;
  readonly topic?: string;
  readonly attempts: number;
  readonly nextTry?: string;
}

export interface WireView {
  /** `alpha/web/nsm-1` */
  readonly wire: string;
  readonly id: string;
  readonly service: string;
  readonly client: string;
  readonly endpoint: string;
  /** `veth on alpha`, `vxlan vni 4242 alpha→beta` */
  readonly path: string;
  readonly addresses: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
  readonly mtuBytes: number;
  readonly payload: string;
  readonly state: State;
  readonly upSince?: string;
  readonly interfaces: { readonly client?: InterfaceView; readonly endpoint?: InterfaceView };
  /** In the order from the client to the endpoint. */
  readonly tunnels: readonly TunnelView[];
  /** Why it is down, where its attachment does not say it. */
  readonly reason?: string;
  /** `Connect web-db`, on any of the hosts. */
  readonly attachments: readonly string[];
}

interface InterfaceView {
  readonly workload: string;
  readonly netns: string;
  readonly interface: string;
  readonly received?: { readonly packets: number; readonly bytes: number };
}

type TunnelView = Pick<
  Tunnel,
  "type" | "parameters" | "words" | "local" | "remote" | "localHost" | "remoteHost"
>;

export interface MeshView {
  readonly hosts: readonly HostView[];
  readonly attachments: readonly AttachmentView[];
  readonly wires: readonly WireView[];
}

/** Each wire once, although the hosts of both its ends tell of it. */
export function meshView(statuses: readonly HostStatus[]): MeshView {
  const attachments = statuses.flatMap(({ host, attachments }) =>
    attachments.map((attachment) => attachmentView(host, attachment)),
  );
  const wires = new Map<string, WireView>();
  for (const wire of statuses.flatMap(({ wires }) => wires)) {
    const view = wireView(wire);
    const known = wires.get(wire.id);
    wires.set(wire.id, known ? bothEnds(known, view) : view);
  }
  for (const wire of statuses.flatMap(({ unclaimed }) => unclaimed)) {
    const view = wireView(wire);
    const known = wires.get(wire.id);
    // Where another host has it as a wire, that knows more.
    if (known?.state === "unclaimed") wires.set(wire.id, bothEnds(known, view));
    else if (!known) wires.set(wire.id, view);
  }
  const held = new Map(attachments.flatMap((each) => (each.wireId ? [[each.wireId, each.state]] : [])));
  return {
    hosts: statuses.map(hostView),
    attachments,
    wires: [...wires.values()].map((view) => {
      const state = held.get(view.id);
      // It was up, and is brought back: its attachment knows more than the devices.
      return state === undefined || state === "up" ? view : { ...view, state };
    }),
  };
}

/** An unclaimed wire carries packets, and is nobody's wish yet: it does not count. */
export function isUp({ attachments, wires }: MeshView): boolean {
  return [...attachments, ...wires].every(({ state }) => state === "up" || state === "unclaimed");
}

function hostView({
  host,
  version,
  url,
  startedAt,
  identity,
  registry,
  unclaimedWires,
  retrying,
  gauges,
}: HostStatus): HostView {
  return {
    host,
    version,
    url,
    ...optional("startedAt", isoTime(startedAt)),
    identity,
    registry: {
      url: registry?.url ?? "",
      state: registryStates[registry?.state ?? RegistryStatus_State.UNKNOWN],
      ...optional("reason", registry?.reason),
      ...optional("staleSince", isoTime(registry?.staleSince)),
      services: registry?.services ?? 0,
      endpoints: registry?.endpoints ?? 0,
    },
    unclaimedWires,
    retrying: retrying.map(({ what, since, failures, reason }) => ({
      what,
      ...optional("since", isoTime(since)),
      failures,
      reason,
    })),
    gauges: Object.fromEntries(gauges.map(({ name, value }) => [name, value])),
  };
}

const registryStates: Readonly<Record<RegistryStatus_State, RegistryView["state"]>> = {
  [RegistryStatus_State.UNKNOWN]: "unknown",
  [RegistryStatus_State.FRESH]: "fresh",
  [RegistryStatus_State.STALE]: "stale",
};

const wireStates: Readonly<Record<Wire_State, State>> = {
  [Wire_State.UP]: "up",
  [Wire_State.DOWN]: "down",
  [Wire_State.UNCLAIMED]: "unclaimed",
};

const attachmentStates: Readonly<Record<AttachmentStatus_State, State>> = {
  [AttachmentStatus_State.WAITING]: "waiting",
  [AttachmentStatus_State.REQUESTING]: "requesting",
  [AttachmentStatus_State.UP]: "up",
  [AttachmentStatus_State.HEALING]: "healing",
  [AttachmentStatus_State.FAILED]: "failed",
  [AttachmentStatus_State.CLOSING]: "closing",
};

export function attachmentView(host: string, attachment: AttachmentStatus): AttachmentView {
  const { ref, state, since, workload, services, wireId, endpoint, wires } = attachment;
  const isFine = state === AttachmentStatus_State.UP;
  return {
    host,
    kind: ref?.kind ?? "",
    name: ref?.name ?? "",
    state: attachmentStates[state] ?? "waiting",
    ...optional("since", isoTime(since)),
    ...optional("workload", workload),
    services: [...services],
    ...optional("wireId", wireId),
    ...optional("endpoint", endpoint),
    wires,
    ...optional("reason", attachment.reason),
    ...optional("hint", attachment.hint),
    ...optional("topic", isFine ? undefined : attachment.topic),
    attempts: attachment.attempts,
    ...optional("nextTry", isoTime(attachment.nextTry)),
  };
}

export function wireView(wire: Wire): WireView {
  const [client, endpoint] = [interfaceView(wire.clientEnd), interfaceView(wire.endpointEnd)];
  return {
    wire: client ? `${wire.client}/${client.interface}` : wire.client || wire.id,
    id: wire.id,
    service: wire.service,
    client: wire.client,
    endpoint: wire.endpoint,
    path: wire.path,
    addresses: {
      client: wire.clientAddresses.map(withoutLength),
      endpoint: wire.endpointAddresses.map(withoutLength),
    },
    mtuBytes: wire.mtu,
    payload: wire.payload,
    state: wireStates[wire.state] ?? "down",
    ...optional("upSince", isoTime(wire.upSince)),
    ...optional("reason", reasonOf(wire)),
    interfaces: { ...optional("client", client), ...optional("endpoint", endpoint) },
    tunnels: wire.tunnels.map(tunnelView),
    attachments: wire.attachments.map(({ kind, name }) => `${kind} ${name}`),
  };
}

/** One wire, seen from its two hosts. */
function bothEnds(a: WireView, b: WireView): WireView {
  // The host of the client knows the name of the device there, and draws the tunnel from it.
  const [near, far] = a.interfaces.client ? [a, b] : [b, a];
  return {
    ...near,
    interfaces: { ...far.interfaces, ...near.interfaces },
    state: near.state === "up" ? far.state : near.state,
    ...optional("reason", near.reason ?? far.reason),
    mtuBytes: Math.min(near.mtuBytes, far.mtuBytes),
    attachments: [...new Set([...near.attachments, ...far.attachments])],
  };
}

/** The devices are there; it is the connection that is not. */
function reasonOf({ state, connection, reason }: Wire): string | undefined {
  if (state === Wire_State.UP) return undefined;
  if (state === Wire_State.UNCLAIMED)
    return "nobody has asked for it since this agent started; it is removed if nobody does";
  return connection
    ? reason || "a station on its path says that it is down; it is healed if its client still wants it"
    : "it has no connection: it is still being made, or its devices could not be removed yet";
}

function interfaceView(end: WireEnd | undefined): InterfaceView | undefined {
  if (!end) return undefined;
  const { workload, netns, received } = end;
  const counters = received && { packets: Number(received.packets), bytes: Number(received.bytes) };
  return { workload, netns, interface: end.interface, ...optional("received", counters) };
}

function tunnelView({ type, parameters, words, local, remote, localHost, remoteHost }: Tunnel): TunnelView {
  return { type, parameters, words, local, remote, localHost, remoteHost };
}

/** Both ends of a wire have addresses of their own: the length says nothing there. */
function withoutLength(address: string): string {
  return address.replace(/\/(32|128)$/, "");
}

/** A key that is left out where there is nothing to say. */
function optional<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined || value === "" ? {} : ({ [key]: value } as { readonly [P in K]: V });
}
