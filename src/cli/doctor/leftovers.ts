/** Leftover objects of Netloom that no agent owns. */
import { count } from "../output.ts";
import { ok, warning, type Check, type Report } from "../../doctor/check.ts";
import { agentOfHost, type AgentOfHost } from "../../doctor/agent-of-host.ts";
import type { DoctorHost } from "./host.ts";
import type { DeviceFacts, FileTree } from "../../doctor/machine.ts";
import { isDoomed, isOurs } from "../../doctor/marks.ts";

const labsDirectory = "run/netloom/labs";
/** The default of `netloom agent --bpffs`. */
const AGENT_PROGRAMS = "/run/netloom/bpf";

export const leftoversCheck: Check<DoctorHost> = {
  name: "leftovers",
  title: "Leftovers",
  run: (host) => {
    const agent = agentOfHost(host);
    const findings = [
      ...testNamespaces(host),
      ...labs(host),
      ...objects(host, agent),
      ...mounts(host, agent),
    ];
    return findings.length > 0 ? findings : [ok("no leftovers of netloom on this machine")];
  },
};

/**
 * Namespaces of tests and benches have the number of the process that made them in their name: `nlt812-0`,
 * `nlb812-alpha`.
 */
function testNamespaces(tree: FileTree): Report[] {
  return tree
    .list("run/netns")
    .filter((name) => {
      const pid = /^nl[tb](\d+)-/.exec(name)?.[1];
      return pid !== undefined && tree.list(`proc/${pid}`).length === 0;
    })
    .map((name) =>
      warning(
        `network namespace ${name}`,
        "the test or bench that made it was killed; its devices still exist",
        `ip netns delete ${name}`,
      ),
    );
}

/** Namespaces of labs are named `nl-<lab>-<place>`; the lab's other state is in /run/netloom/labs/<lab>/. */
function labs(tree: FileTree): Report[] {
  const counts = new Map(tree.list(labsDirectory).map((lab) => [lab, 0]));
  for (const namespace of tree.list("run/netns")) {
    const lab = /^nl-([a-z][a-z0-9]*)-/.exec(namespace)?.[1];
    if (lab !== undefined) counts.set(lab, (counts.get(lab) ?? 0) + 1);
  }
  return [...counts].map(([lab, namespaces]) => {
    const what = `lab ${lab}: ${count(namespaces, "network namespace")}`;
    if (isWhole(tree, lab)) return ok(`${what}, up`);
    return warning(what, "a command that made or removed it was killed half-way", `netloom lab down ${lab}`);
  });
}

/** Returns whether a lab is up (its file exists and is not pending), or a command is working on it now. */
function isWhole(tree: FileTree, lab: string): boolean {
  const state = tree.list(`${labsDirectory}/${lab}`);
  const holder = tree.read(`${labsDirectory}/${lab}/lock`)?.trim();
  if (state.includes("lab.yaml") && !state.includes("pending.yaml")) return true;
  return holder !== undefined && holder !== "" && tree.list(`proc/${holder}`).length > 0;
}

/**
 * Checks devices, routes and rules. A running agent manages its own, and those that an earlier agent left incomplete.
 */
function objects({ devices, markedEntries }: DoctorHost, agent: AgentOfHost): Report[] {
  const ours = devices.filter(({ group }) => isOurs(group));
  if (agent.state === "runs") {
    const found = `${count(ours.length, "device")}, and ${markedEntries.length} routes and rules`;
    return [ok(`the agent of this host (pid ${agent.pid}) owns ${found}`)];
  }
  const why =
    agent.state === "stopped" ? "its agent does not run; the next start takes it over" : "no agent runs here";
  return [
    ...ours.map((each) => device(each, why)),
    ...markedEntries.map(({ what, remedy }) =>
      warning(what, `it has netloom's protocol number, and ${why}`, remedy),
    ),
  ];
}

function device({ name, group }: DeviceFacts, why: string): Report {
  const remedy = `ip link delete ${name}`;
  if (isDoomed(group)) return warning(`device ${name}, doomed`, "its deletion was killed half-way", remedy);
  return warning(
    `device ${name}, group 0x${group.toString(16)}`,
    `it is a device of netloom, and ${why}`,
    remedy,
  );
}

/** Finds file systems of pinned programs that belong to no agent, no lab, and no running test or bench. */
function mounts(tree: FileTree, agent: AgentOfHost): Report[] {
  const labs = tree.list(labsDirectory);
  return (tree.read("proc/self/mounts") ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, point, type]) => type === "bpf" && point?.startsWith("/run/netloom"))
    .map(([, point]) => point ?? "")
    .filter((point) => {
      if (point === AGENT_PROGRAMS) return agent.state === "none";
      const lab = /^\/run\/netloom\/labs\/([^/]+)/.exec(point)?.[1];
      const pid = /^\/run\/netloom-(?:test|bench)\/(\d+)-/.exec(point)?.[1];
      return pid === undefined ? !labs.includes(lab ?? "") : tree.list(`proc/${pid}`).length === 0;
    })
    .map((point) =>
      warning(`bpffs at ${point}`, "the programs pinned there have no wires any more", `umount ${point}`),
    );
}
