/** What is there of a lab, against what was applied. */
import type { WireStatus } from "./wire-status.ts";
import { diff } from "../forwarder/diff.ts";
import { groupByOwner } from "../forwarder/owner.ts";
import { meterQuery } from "../forwarder/meter.ts";
import { deviceOf } from "../mechanisms/list.ts";
import { plan, wireMtu } from "../forwarder/plan.ts";
import { type LinuxKernel, type LinuxMachine } from "../linux/machine.ts";
import { identityAt } from "../linux/netns.ts";
import { NetloomError } from "../errors/errors.ts";
import type { CounterQuery, Counters, KernelObject, Netns, Operation } from "../kernel/kernel.ts";
import { isMarked } from "../kernel/objects.ts";
import { LAB_MARK } from "../kernel/kernel.ts";
import { describeObject } from "../kernel/kernel-text.ts";
import { type Lab, type LabWire, sideName } from "./model.ts";
import { askAgents } from "./mesh.ts";
import { problemsOf, wiresOf } from "./mesh-status.ts";
import { mustParseLab } from "./parse.ts";
import { pingWire, withPing } from "./ping-wire.ts";
import { bpffsDirectory, checkLabName, list, readState, stateDirectory } from "./state.ts";
import { connectionId, type HostWire, topology, type Topology } from "./topology.ts";
import { pathOf } from "./wire-path.ts";

export interface LabStatus {
  readonly name: string;
  readonly lab: Lab;
  readonly underlay: { readonly state: "up" | "degraded"; readonly differences: readonly string[] };
  readonly wires: readonly WireStatus[];
  /** What agents do not do, as sentences: one that does not answer, an attachment that is not up. Empty without agents. */
  readonly problems: readonly string[];
}

export interface StatusOptions {
  /**
   * Sends packets through every wire, small ones and the largest, and waits a second for each answer. What is wrong with
   * the way that they take is among the differences then, and so is an end that has not counted them.
   */
  readonly ping?: boolean;
}

/** Looks at everything of the lab, and changes nothing. NOT_FOUND if it is not up. */
export async function status(
  machine: LinuxMachine,
  name: string,
  options: StatusOptions = {},
): Promise<LabStatus> {
  const lab = await applied(name);
  if (lab.mesh) return await meshStatus(machine, lab, options);
  const wanted = topology(lab);
  const open: LinuxKernel[] = [];
  try {
    const machineWide = await machine.kernel({ bpffs: stateDirectory(name), mark: LAB_MARK });
    open.push(machineWide);
    const kernels = new Map<string, LinuxKernel>();
    for (const { kind, place, netns, path } of wanted.namespaces) {
      if (kind !== "host" || identityAt(path) === undefined) continue;
      const kernel = await machine.kernel({ host: netns, bpffs: bpffsDirectory(name, place) });
      open.push(kernel);
      kernels.set(place, kernel);
    }
    const lookAtWires = async (): Promise<WireStatus[]> => {
      const views = new Map<string, HostView>();
      for (const [place, kernel] of kernels) views.set(place, await look(kernel, wanted, place));
      return lab.wires.map((wire) => wireStatus(lab, wire, wanted, views));
    };
    const underlay = await underlayDifferences(machineWide, wanted);
    const wires = await pinged(machine, name, lookAtWires, options);
    return {
      name,
      lab,
      underlay: { state: underlay.length === 0 ? "up" : "degraded", differences: underlay },
      wires,
      problems: [],
    };
  } finally {
    for (const kernel of open) await kernel.close();
  }
}

/** The wires as `look` shows them; if it is asked for, after packets have gone through them. */
async function pinged(
  machine: LinuxMachine,
  lab: string,
  look: () => Promise<readonly WireStatus[]>,
  { ping = false }: StatusOptions,
): Promise<readonly WireStatus[]> {
  const before = await look();
  if (!ping) return before;
  const results = await Promise.all(before.map((wire) => pingWire(machine, lab, wire)));
  const byName = new Map(before.map((wire, i) => [wire.client, { wire, result: results[i] }]));
  return (await look()).map((wire) => {
    const known = byName.get(wire.client);
    return known?.result ? withPing(known.wire, wire, known.result) : wire;
  });
}

async function applied(name: string): Promise<Lab> {
  checkLabName(name);
  const text = await readState(name, "lab.yaml");
  if (text !== undefined) return mustParseLab(text, `lab.yaml of ${name}`);
  const cutOff = (await list()).includes(name);
  throw new NetloomError(
    "NOT_FOUND",
    `look at lab ${name}: ${cutOff ? "it is not up in full: its last `up` was cut off" : "it is not up"}`,
    {
      topic: "NL-601",
      hint: cutOff
        ? `netloom lab up <file> finishes it, netloom lab down ${name} removes it`
        : "netloom lab status lists the labs that are; netloom lab up <file> makes one",
    },
  );
}

/** What one host has of its wires. */
interface HostView {
  readonly wires: ReadonlyMap<string, HostWire>;
  readonly there: ReadonlyMap<string, readonly KernelObject[]>;
  /** What each side of a wire received here, by connection id. */
  readonly received: ReadonlyMap<string, { readonly client?: Counters; readonly endpoint?: Counters }>;
}

async function look(kernel: LinuxKernel, wanted: Topology, host: string): Promise<HostView> {
  const wires = wanted.wires.filter((wire) => wire.host === host);
  const places: Netns[] = wanted.namespaces
    .filter(({ place, path }) => place.startsWith(`${host}/`) && identityAt(path) !== undefined)
    .map(({ netns }) => netns);
  const objects = await kernel.observe([{ netns: "host" }, ...places.map((netns) => ({ netns }))]);
  const there = groupByOwner(objects).owned;
  const alive = new Set<Netns>(["host", ...places]);
  const meters = wires.flatMap((wire) =>
    metersOf(wire).map((meter) => ({ ...meter, owner: wire.wire.connectionId })),
  );
  const readable = meters.filter(({ query }) => alive.has(query.netns));
  const values = await kernel.counters(readable.map(({ query }) => query));
  const received = new Map<string, { client?: Counters; endpoint?: Counters }>();
  for (const [i, { owner, side }] of readable.entries()) {
    const value = values[i];
    if (value) received.set(owner, { ...received.get(owner), [side]: value });
  }
  return { wires: new Map(wires.map((wire) => [wire.wire.connectionId, wire])), there, received };
}

/** Where packets to the sides on this host are counted. */
function metersOf({
  wire,
}: HostWire): { readonly side: "client" | "endpoint"; readonly query: CounterQuery }[] {
  return (["client", "endpoint"] as const).flatMap((side) =>
    deviceOf(wire[side]) ? [{ side, query: meterQuery({ wire, towards: side }) }] : [],
  );
}

function wireStatus(
  lab: Lab,
  wire: LabWire,
  wanted: Topology,
  views: ReadonlyMap<string, HostView>,
): WireStatus {
  const id = connectionId(lab.name, wire);
  const halves = wanted.wires.filter((half) => half.wire.connectionId === id);
  const differences = halves.flatMap(({ host, wire: half }) => {
    const view = views.get(host);
    return view ? sentences(diff(plan(half).objects, view.there.get(id) ?? [])) : [`missing: host ${host}`];
  });
  const received = Object.assign(
    {},
    ...halves.map(({ host }) => views.get(host)?.received.get(id)),
  ) as WireStatus["received"];
  return {
    client: sideName(wire.client),
    endpoint: sideName(wire.endpoint),
    addresses: { client: wire.client.addresses, endpoint: wire.endpoint.addresses },
    path: pathOf(wire),
    mtuBytes: Math.min(...halves.map(({ wire: half }) => wireMtu(half))),
    state: differences.some((difference) => !difference.startsWith("unexpected")) ? "down" : "up",
    received,
    differences,
  };
}

async function underlayDifferences(
  kernel: LinuxKernel,
  { namespaces, underlay }: Topology,
): Promise<string[]> {
  const gone = namespaces.filter(({ path }) => identityAt(path) === undefined);
  const nodes = namespaces.filter((namespace) => namespace.kind !== "workload" && !gone.includes(namespace));
  const observed = await kernel.observe(nodes.map(({ netns }) => ({ netns })));
  return [
    ...gone.map(({ place }) => `missing: namespace of ${place}`),
    ...sentences(diff(underlay.objects, observed)),
  ];
}

/** What would have to be done, said as what is wrong. */
function sentences(operations: readonly Operation[]): string[] {
  const words = { add: "missing", change: "changed", remove: "unexpected" } as const;
  return operations
    .filter(({ object }) => isMarked(object))
    .map(({ verb, object }) => `${words[verb]}: ${describeObject(object)}`);
}

/** The same of a lab whose wires are made by agents. */
async function meshStatus(machine: LinuxMachine, lab: Lab, options: StatusOptions): Promise<LabStatus> {
  const kernel = await machine.kernel({ bpffs: stateDirectory(lab.name), mark: LAB_MARK });
  try {
    const hosts = (lab.mesh?.agents ?? []).map(({ host }) => host);
    let answers: Awaited<ReturnType<typeof askAgents>> = new Map();
    const look = async (): Promise<readonly WireStatus[]> =>
      wiresOf((answers = await askAgents(lab.name, hosts)));
    const wires = await pinged(machine, lab.name, look, options);
    const underlay = await underlayDifferences(kernel, topology(lab));
    return {
      name: lab.name,
      lab,
      underlay: { state: underlay.length === 0 ? "up" : "degraded", differences: underlay },
      wires,
      problems: problemsOf(answers),
    };
  } finally {
    await kernel.close();
  }
}
