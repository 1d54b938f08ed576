/** The agent that owns Netloom's devices, routes and rules on this host, if one exists. */
import type { FileTree, ExaminedMachine } from "./machine.ts";
import { processes } from "./processes.ts";

export type AgentOfHost =
  | { readonly state: "runs"; readonly pid: number }
  /** It ran here and kept its attachments: its wires stay for the next start. */
  | { readonly state: "stopped" }
  | { readonly state: "none" };

/** The default of `netloom agent --state-dir`. */
const STATE_DIRECTORY = "var/lib/netloom";

/** The agent of this process's network namespace. Agents of labs are in other namespaces. */
export function agentOfHost(tree: FileTree): AgentOfHost {
  const here = tree.target("proc/self/ns/net");
  const found = processes(tree).find(
    ({ pid }) => isAgent(tree, pid) && tree.target(`proc/${pid}/ns/net`) === here,
  );
  if (found) return { state: "runs", pid: found.pid };
  return { state: tree.list(STATE_DIRECTORY).includes("wish") ? "stopped" : "none" };
}

function isAgent(tree: FileTree, pid: number): boolean {
  const words = wordsOf(tree, pid);
  const at = words.indexOf("agent");
  return at > 0 && /(main\.[jt]s|netloom)$/.test(words[at - 1] ?? "");
}

function wordsOf(tree: FileTree, pid: number): string[] {
  return (tree.read(`proc/${pid}/cmdline`) ?? "").split("\0");
}

/** An option of the agent that takes a number. */
interface NumberOption {
  /** Without hyphens in front. */
  readonly name: string;
  readonly default: number;
}

/** The value of an option: as given for an agent to come, else that of the running agent, else the default. */
export function settingOf(machine: ExaminedMachine, option: NumberOption): number {
  const asked = machine.settings[option.name];
  if (asked !== undefined) return asked;
  const agent = agentOfHost(machine);
  return (agent.state === "runs" && optionOf(machine, agent.pid, option.name)) || option.default;
}

/** Whether the agent that runs here was started with a flag (`name` without hyphens). */
export function isFlagSet(tree: FileTree, name: string): boolean {
  const agent = agentOfHost(tree);
  return agent.state === "runs" && wordsOf(tree, agent.pid).includes(`--${name}`);
}

/** Reads `--vxlan-port 4790`, `--vxlan-port=4790`, or NETLOOM_VXLAN_PORT of a process. */
function optionOf(tree: FileTree, pid: number, name: string): number | undefined {
  const flag = `--${name}`;
  const words = wordsOf(tree, pid);
  const at = words.findLastIndex((word) => word === flag || word.startsWith(`${flag}=`));
  const option = words[at] === flag ? words[at + 1] : words[at]?.split("=")[1];
  const variable = `NETLOOM_${name.toUpperCase().replaceAll("-", "_")}=`;
  const set = (tree.read(`proc/${pid}/environ`) ?? "").split("\0").find((each) => each.startsWith(variable));
  return Number(option ?? set?.slice(variable.length)) || undefined;
}
