/** Compares the wires of a lab without agents with their plans. */
import { diff } from "../../forwarder/reconcile/diff.ts";
import { meterQuery } from "../../forwarder/meter.ts";
import { groupByOwner } from "../../forwarder/reconcile/owner.ts";
import { plan, wireMtu } from "../../forwarder/plan/plan.ts";
import { identityAt } from "../../linux/namespaces/netns.ts";
import type { OpenKernel } from "../../kernel/privileged.ts";
import { deviceOf, remoteTypeOf } from "../../mechanisms/list.ts";
import type { Side } from "../../mechanisms/side.ts";
import type { KernelObject, Netns } from "../../kernel/kernel.ts";
import { plannedWire } from "../../view/planned-wire.ts";
import type { HopView } from "../../view/way.ts";
import type { Received, WireView } from "../../view/wire-view.ts";
import type { Lab, LabWire, WireSide } from "../file/model.ts";
import { connectionId, type HostWire, netnsOf, type Topology } from "../topology/topology.ts";
import { hopsOf } from "../topology/wire-path.ts";

/** The wires in the order of the file. `kernels` are those of the existing hosts. */
export async function lookAtWires(
  lab: Lab,
  wanted: Topology,
  kernels: ReadonlyMap<string, OpenKernel>,
): Promise<WireView[]> {
  const seen = new Map<string, HostSight>();
  for (const [host, kernel] of kernels) seen.set(host, await look(kernel, wanted, host));
  return lab.wires.map((wire) => wireView(lab, wire, wanted, seen));
}

/** The objects and counters of wires on one host, by connection id. */
interface HostSight {
  readonly objects: ReadonlyMap<string, readonly KernelObject[]>;
  readonly received: ReadonlyMap<string, Readonly<Partial<Record<Side, Received>>>>;
}

async function look(kernel: OpenKernel, wanted: Topology, host: string): Promise<HostSight> {
  const wires = wanted.wires.filter((wire) => wire.host === host);
  const places: Netns[] = wanted.namespaces
    .filter(({ kind, node, path }) => kind === "workload" && node === host && identityAt(path) !== undefined)
    .map(({ netns }) => netns);
  const observed = await kernel.observe([{ netns: "host" }, ...places.map((netns) => ({ netns }))]);
  const alive = new Set<Netns>(["host", ...places]);
  const meters = wires.flatMap(metersOf).filter(({ query }) => alive.has(query.netns));
  const values = await kernel.counters(meters.map(({ query }) => query));
  const received = new Map<string, Partial<Record<Side, Received>>>();
  for (const [i, { owner, side }] of meters.entries()) {
    const value = values[i];
    if (value) received.set(owner, { ...received.get(owner), [side]: value });
  }
  return { objects: groupByOwner(observed).owned, received };
}

/** The meters that count packets to the sides on this host. */
function metersOf({ wire }: HostWire) {
  return (["client", "endpoint"] as const).flatMap((side) =>
    deviceOf(wire[side])
      ? [{ owner: wire.connectionId, side, query: meterQuery({ wire, towards: side }) }]
      : [],
  );
}

function wireView(lab: Lab, wire: LabWire, wanted: Topology, seen: ReadonlyMap<string, HostSight>): WireView {
  const id = connectionId(lab.name, wire);
  const halves = wanted.wires.filter((half) => half.wire.connectionId === id);
  const device = ({ host, workload, interface: name }: WireSide) => ({
    host,
    workload,
    netns: netnsOf(lab.name, `${host}/${workload}`),
    interface: name,
  });
  return plannedWire({
    id,
    interfaces: { client: device(wire.client), endpoint: device(wire.endpoint) },
    addresses: { client: wire.client.addresses, endpoint: wire.endpoint.addresses },
    hops: hopsOf(wire).map((hop) => ({ ...hop, ...tunnelOf(halves[0]) })),
    mtuBytes: Math.min(...halves.map(({ wire: half }) => wireMtu(half))),
    found: halves.map(({ host, wire: half }) => {
      const sight = seen.get(host);
      const operations = sight && diff(plan(half).objects, sight.objects.get(id) ?? []);
      return { host, ...(operations && { operations }), received: sight?.received.get(id) ?? {} };
    }),
  });
}

/** The tunnel of the half on the client's host. */
function tunnelOf(half: HostWire | undefined): Pick<HopView, "tunnel"> {
  const type = half && remoteTypeOf(half.wire.endpoint);
  if (!type) return {};
  const mechanism = half.wire.endpoint;
  const parameters = type.write(mechanism);
  return { tunnel: { type: type.type, parameters, ...type.vteps(mechanism), ways: [] } };
}
