/** Compares the state of a lab with its applied file. */
import { diff } from "../../forwarder/reconcile/diff.ts";
import type { LinuxMachine } from "../../linux/machine/machine.ts";
import type { OpenKernel } from "../../kernel/privileged.ts";
import { identityAt } from "../../linux/namespaces/netns.ts";
import { NetloomError } from "../../errors/errors.ts";
import { LAB_MARK } from "../../kernel/kernel.ts";
import { differencesOf } from "../../view/differences.ts";
import { type MeshView, meshView, problemsOf } from "../../view/mesh-view.ts";
import { lookAtWires } from "./look-at-wires.ts";
import type { Lab } from "../file/model.ts";
import { askAgents } from "../mesh.ts";
import { mustParseKeptLab } from "../file/parse.ts";
import { pingWires } from "./ping-wires.ts";
import { bpffsDirectory, checkLabName, list, readState, stateDirectory } from "../state.ts";
import { topology, type Topology } from "../topology/topology.ts";

/** The model of the lab's mesh. Without agents it is made from the wanted and the found objects. */
export interface LabStatus extends MeshView {
  readonly name: string;
  readonly lab: Lab;
  readonly underlay: { readonly state: "up" | "degraded"; readonly differences: readonly string[] };
  /** Problems of agents, as sentences: no answer, or an attachment that is not up. Empty without agents. */
  readonly problems: readonly string[];
}

export interface StatusOptions {
  /**
   * Sends packets through every wire, small ones and the largest, and waits a second for each answer. The differences then
   * include problems of the packets' path, and ends that have not counted them.
   */
  readonly ping?: boolean;
}

/** Reads the state of the lab, and changes nothing. NOT_FOUND if the lab is not up. */
export async function status(
  machine: LinuxMachine,
  name: string,
  { ping = false }: StatusOptions = {},
): Promise<LabStatus> {
  const lab = await applied(name);
  const wanted = topology(lab);
  const open: OpenKernel[] = [];
  try {
    const machineWide = await machine.kernel({ bpffs: stateDirectory(name), mark: LAB_MARK });
    open.push(machineWide);
    const look = lab.mesh ? () => askedView(lab) : await observing(machine, { lab, wanted, open });
    const underlay = await underlayDifferences(machineWide, wanted);
    let view = await look();
    if (ping) {
      const wires = await pingWires(machine, name, view.wires, async () => (view = await look()).wires);
      view = { ...view, wires };
    }
    return {
      name,
      lab,
      underlay: { state: underlay.length === 0 ? "up" : "degraded", differences: underlay },
      ...view,
      problems: problemsOf(view),
    };
  } finally {
    for (const kernel of open) await kernel.close();
  }
}

/** The model of the mesh, from the statuses of the lab's agents. */
async function askedView(lab: Lab): Promise<MeshView> {
  const hosts = (lab.mesh?.agents ?? []).map(({ host }) => host);
  const { statuses, silent } = await askAgents(lab.name, hosts);
  const view = meshView(statuses, { silent, isWhole: true });
  // Unclaimed wires are left out: no document requests them. Each host has their number.
  return { ...view, wires: view.wires.filter(({ state }) => state !== "unclaimed") };
}

/** Opens the kernels of the existing hosts. */
async function observing(
  machine: LinuxMachine,
  { lab, wanted, open }: { readonly lab: Lab; readonly wanted: Topology; readonly open: OpenKernel[] },
): Promise<() => Promise<MeshView>> {
  const kernels = new Map<string, OpenKernel>();
  for (const { kind, node, netns, path } of wanted.namespaces) {
    if (kind !== "host" || identityAt(path) === undefined) continue;
    const kernel = await machine.kernel({ host: netns, bpffs: bpffsDirectory(lab.name, node) });
    open.push(kernel);
    kernels.set(node, kernel);
  }
  const view = {
    hosts: lab.hosts.map(({ name: host }) => ({ host })),
    workloads: lab.hosts.flatMap(({ name: host, workloads }) =>
      workloads.map((workload) => ({ host, workload })),
    ),
    services: [],
    endpoints: [],
    attachments: [],
  };
  return async () => ({ ...view, wires: await lookAtWires(lab, wanted, kernels) });
}

async function applied(name: string): Promise<Lab> {
  checkLabName(name);
  const text = await readState(name, "lab.yaml");
  if (text !== undefined) return mustParseKeptLab(text, `lab.yaml of ${name}`);
  const cutOff = (await list()).includes(name);
  throw new NetloomError(
    "NOT_FOUND",
    `show lab ${name}: ${cutOff ? "it is only partly up: its last `up` was interrupted" : "it is not up"}`,
    {
      topic: "NL-601",
      hint: cutOff
        ? `netloom lab up <file> finishes it, netloom lab down ${name} removes it`
        : "netloom lab status lists the labs that are up; netloom lab up <file> makes one",
    },
  );
}

async function underlayDifferences(
  kernel: OpenKernel,
  { namespaces, underlay }: Topology,
): Promise<string[]> {
  const gone = namespaces.filter(({ path }) => identityAt(path) === undefined);
  const nodes = namespaces.filter((namespace) => namespace.kind !== "workload" && !gone.includes(namespace));
  const observed = await kernel.observe(nodes.map(({ netns }) => ({ netns })));
  return [
    ...gone.map(({ place }) => `missing: namespace of ${place}`),
    ...differencesOf(diff(underlay.objects, observed)),
  ];
}
