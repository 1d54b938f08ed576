/** Computes the objects that a lab needs on the machine: namespaces, the underlay as kernel objects, and wires for forwarders. */
import { endSettings } from "../../forwarder/plan/plan-settings.ts";
import { linkLocal } from "../../mechanisms/link-local.ts";
import { namespaceName } from "../../resolvers/lab/places.ts";
import { NETNS_DIRECTORY } from "../../resolvers/netns/netns.ts";
import { type Wire, wireGuard } from "../../forwarder/wire.ts";
import { deviceIn, type Mechanism } from "../../mechanisms/list.ts";
import { addressBits, mustParseIp } from "../../net/ip.ts";
import { derivedMac } from "../../net/mac.ts";
import type { Plan } from "../../kernel/plan.ts";
import type { KernelObject, LinkEnd, Netns, Qdisc, Veth } from "../../kernel/kernel.ts";
import {
  type Lab,
  type LabLink,
  type LabPort,
  type LabWire,
  sideName,
  type WireSide,
} from "../file/model.ts";
import { UnderlayRouting } from "./underlay.ts";
import { cableAlias } from "./underlay-owner.ts";

export { namespaceName, namespacePrefix } from "../../resolvers/lab/places.ts";
export { NETNS_DIRECTORY } from "../../resolvers/netns/netns.ts";

export interface LabNamespace {
  /** `alpha` for a host or router, `alpha/web` for a workload or the machine behind a port. */
  readonly place: string;
  readonly kind: "host" | "router" | "workload" | "machine";
  /** The host or router itself, the host of the workload, or the host whose port leads to the machine. */
  readonly node: string;
  /** Path below /run/netns. */
  readonly path: string;
  readonly netns: Netns;
}

/** A wire, or half of a wire, in the form for the forwarder of one host. */
export interface HostWire {
  readonly host: string;
  /** The client's `host/workload/interface`. */
  readonly name: string;
  readonly wire: Wire;
}

export interface Topology {
  readonly namespaces: readonly LabNamespace[];
  /** Settings that a new namespace gets first. */
  readonly birth: readonly KernelObject[];
  /** Links between hosts and routers. */
  readonly underlay: Plan;
  readonly wires: readonly HostWire[];
}

export function netnsOf(lab: string, place: string): Netns {
  return `file://${NETNS_DIRECTORY}/${namespaceName(lab, place)}`;
}

/** MTU of the cable to the machine at a port, in bytes. */
const PORT_MTU = 1500;

/** The connection id of a wire: the owner of all its devices. */
export function connectionId(lab: string, wire: LabWire): string {
  return `${lab}.${sideName(wire.client).replaceAll("/", ".")}`;
}

/** The wire's name in a connection id; `undefined` for the id of another lab. Names of hosts and workloads have no dot. */
export function wireNameOf(lab: string, connectionId: string): string | undefined {
  const [owner, host, workload, ...rest] = connectionId.split(".");
  return owner === lab && rest.length > 0 ? `${host}/${workload}/${rest.join(".")}` : undefined;
}

/** The topology of a lab. A pure function: the same lab gives the same topology in every process. */
export function topology(lab: Lab): Topology {
  const namespaces = listNamespaces(lab);
  const routing = new UnderlayRouting(lab);
  return {
    namespaces,
    birth: namespaces.flatMap(birthOf),
    underlay: { owner: lab.name, objects: underlayOf(lab, routing) },
    wires: lab.wires.flatMap((wire) => hostWires(lab, routing, wire)),
  };
}

function underlayOf(lab: Lab, routing: UnderlayRouting): KernelObject[] {
  const cables = lab.links.map((link) => cable(lab, link));
  const ports = lab.hosts.flatMap((host) => host.ports.map((port) => portCable(lab, host.name, port)));
  return [
    ...cables,
    ...ports.map(({ veth }) => veth),
    ...[...cables, ...ports.map(({ veth }) => veth)].flatMap(({ ends }) =>
      ends.map((end) => endSettings(end)),
    ),
    ...ports.flatMap((port) => port.addresses),
    ...lab.links.flatMap((link) => link.ends.flatMap((_, side) => addresses(lab, link, side))),
    ...lab.links.flatMap((link) =>
      link.ends.map((_, side) => ({ kind: "up", ...deviceOf(lab, link, side) }) as const),
    ),
    ...ports.flatMap(({ veth }) =>
      veth.ends.map(({ netns, name }) => ({ kind: "up", netns, link: name }) as const),
    ),
    ...nodesOf(lab).flatMap((node) => routes(lab, routing, node)),
    ...lab.links.flatMap((link) => link.ends.flatMap((_, side) => shape(lab, link, side))),
  ];
}

function nodesOf(lab: Lab): string[] {
  return [...lab.hosts.map(({ name }) => name), ...lab.routers];
}

function listNamespaces(lab: Lab): LabNamespace[] {
  const namespace = (place: string, kind: LabNamespace["kind"], node = place): LabNamespace => ({
    place,
    kind,
    node,
    path: `${NETNS_DIRECTORY}/${namespaceName(lab.name, place)}`,
    netns: netnsOf(lab.name, place),
  });
  return [
    ...lab.routers.map((name) => namespace(name, "router")),
    ...lab.hosts.map(({ name }) => namespace(name, "host")),
    ...lab.hosts.flatMap(({ name, workloads, ports }) => [
      ...workloads.map((workload) => namespace(`${name}/${workload}`, "workload", name)),
      ...ports.map((port) => namespace(`${name}/${port.name}`, "machine", name)),
    ]),
  ];
}

/** Settings of a new namespace. It inherits IPv4 settings from the machine's own, so the important ones are set. */
function birthOf({ netns, kind }: LabNamespace): KernelObject[] {
  const forwarding = kind === "router" ? "1" : "0";
  const values = {
    "net/ipv4/conf/all/forwarding": forwarding,
    "net/ipv6/conf/all/forwarding": forwarding,
    "net/ipv4/conf/all/rp_filter": "0",
    "net/ipv4/conf/default/rp_filter": "0",
  };
  return [
    { kind: "up", netns, link: "lo" },
    { kind: "sysctl", netns, values },
  ];
}

/** Name of the underlay device that leads to `neighbor`. Node names have at most 12 bytes, so it always fits. */
function underlayInterface(neighbor: string): string {
  return `to-${neighbor}`;
}

function deviceOf(lab: Lab, link: LabLink, side: number): { readonly netns: Netns; readonly link: string } {
  const [own, other] = side === 0 ? link.ends : [link.ends[1], link.ends[0]];
  return { netns: netnsOf(lab.name, own.node), link: underlayInterface(other.node) };
}

function cable(lab: Lab, link: LabLink): Veth {
  const end = (side: number): LinkEnd => {
    const { netns, link: name } = deviceOf(lab, link, side);
    const { node } = link.ends[side === 0 ? 0 : 1];
    return {
      netns,
      name,
      mac: derivedMac([`${lab.name}/${node}/${name}`]),
      mtuBytes: link.mtuBytes,
      alias: cableAlias(lab.name, node, name),
      ...linkLocal(link.mtuBytes),
    };
  };
  return { kind: "veth", ends: [end(0), end(1)] };
}

/** The cable from a host to the machine at its port. The device has the same name at both ends. */
function portCable(
  lab: Lab,
  host: string,
  { name, addresses: own }: LabPort,
): { readonly veth: Veth; readonly addresses: readonly KernelObject[] } {
  const machine = `${host}/${name}`;
  const end = (place: string): LinkEnd => ({
    netns: netnsOf(lab.name, place),
    name,
    mac: derivedMac([`${lab.name}/${place} port ${name}`]),
    mtuBytes: PORT_MTU,
    alias: cableAlias(lab.name, place, name),
    ...linkLocal(PORT_MTU),
  });
  const netns = netnsOf(lab.name, machine);
  return {
    veth: { kind: "veth", ends: [end(host), end(machine)] },
    addresses: own.map((address) => ({ kind: "address", netns, link: name, address })),
  };
}

function addresses(lab: Lab, link: LabLink, side: number): KernelObject[] {
  return link.ends[side === 0 ? 0 : 1].addresses.map((address) => ({
    kind: "address",
    ...deviceOf(lab, link, side),
    address,
  }));
}

function routes(lab: Lab, routing: UnderlayRouting, node: string): KernelObject[] {
  return routing.routesOf(node).map(({ destination, via, neighbor }) => ({
    kind: "route",
    netns: netnsOf(lab.name, node),
    link: underlayInterface(neighbor),
    destination,
    via,
  }));
}

/** `tc_tbf_qopt` counts bytes with 32 bits. */
const MAX_U32 = 0xffffffff;

function shape(lab: Lab, link: LabLink, side: number): Qdisc[] {
  const { rateBitsPerSecond, delayMs, lossPercent } = link;
  if (rateBitsPerSecond !== undefined) {
    const bytesPerSecond = rateBitsPerSecond / 8;
    // The bucket holds 10 ms, but at least two frames. Packets wait 50 ms at most, or less if the kernel's field is too
    // small.
    const burstBytes = Math.ceil(Math.max(bytesPerSecond / 100, 2 * (link.mtuBytes + 14)));
    const limitBytes = Math.min(Math.ceil(burstBytes + bytesPerSecond / 20), MAX_U32);
    return [
      {
        kind: "qdisc",
        ...deviceOf(lab, link, side),
        shape: { type: "tbf", rateBitsPerSecond, burstBytes, limitBytes },
      },
    ];
  }
  if (delayMs === undefined && lossPercent === undefined) return [];
  return [
    {
      kind: "qdisc",
      ...deviceOf(lab, link, side),
      shape: { type: "netem", delayMs: delayMs ?? 0, lossPercent: lossPercent ?? 0 },
    },
  ];
}

/** The wire for a host with both sides, else a half for each of the two hosts. */
export function hostWires(lab: Lab, routing: UnderlayRouting, wire: LabWire): HostWire[] {
  const name = sideName(wire.client);
  const device = (side: WireSide): Mechanism =>
    deviceIn(netnsOf(lab.name, `${side.host}/${side.workload}`), side.interface);
  const common = {
    connectionId: connectionId(lab.name, wire),
    context: contextOf(wire),
    ...wireGuard(wire.guard),
  };
  const [client, endpoint] = [device(wire.client), device(wire.endpoint)];
  if (wire.client.host === wire.endpoint.host) {
    return [{ host: wire.client.host, name, wire: { ...common, client, endpoint } }];
  }
  const path = wire.tunnel && routing.tunnelPath(wire.client.host, wire.endpoint.host, wire.tunnel.family);
  if (!path || !wire.tunnel) throw new TypeError(`the wire ${name} has no tunnel: not a checked lab`);
  const { sourceIp, destinationIp, mtuBytes: underlayMtuBytes } = path;
  const { type, id } = wire.tunnel;
  const tunnel = type.tunnel({ sourceIp, destinationIp, id, underlayMtuBytes }) as Mechanism;
  return [
    { host: wire.client.host, name, wire: { ...common, client, endpoint: tunnel } },
    { host: wire.endpoint.host, name, wire: { ...common, client: tunnel, endpoint } },
  ];
}

function contextOf({ client, endpoint, mtuBytes, policies }: LabWire): Wire["context"] {
  const full = (address: string): string => `${address}/${addressBits(mustParseIp(address).family)}`;
  return {
    srcIpAddrs: client.addresses.map(full),
    dstIpAddrs: endpoint.addresses.map(full),
    srcRoutes: client.routes,
    dstRoutes: endpoint.routes,
    policies,
    ...(mtuBytes !== undefined && { mtuBytes }),
  };
}
