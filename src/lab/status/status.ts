/** What is there of a lab, against what was applied. */
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

/** The model of its mesh; without agents of what is wanted and what was found. */
export interface LabStatus extends MeshView {
  readonly name: string;
  readonly lab: Lab;
  readonly underlay: { readonly state: "up" | "degraded"; readonly differences: readonly string[] };
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

/** What the agents of the lab's hosts say. */
async function askedView(lab: Lab): Promise<MeshView> {
  const hosts = (lab.mesh?.agents ?? []).map(({ host }) => host);
  const { statuses, silent } = await askAgents(lab.name, hosts);
  const view = meshView(statuses, { silent, isWhole: true });
  // What an earlier agent has left is nobody's wish; each host says how much of it there is.
  return { ...view, wires: view.wires.filter(({ state }) => state !== "unclaimed") };
}

/** Opens the kernels of the hosts that are there. */
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
    `look at lab ${name}: ${cutOff ? "it is not up in full: its last `up` was cut off" : "it is not up"}`,
    {
      topic: "NL-601",
      hint: cutOff
        ? `netloom lab up <file> finishes it, netloom lab down ${name} removes it`
        : "netloom lab status lists the labs that are; netloom lab up <file> makes one",
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
