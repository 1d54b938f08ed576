/** Whether devices, routes and rules of ours have somebody who takes care of them. */
import { VXLAN_PORT } from "../../kernel/objects/vxlan.ts";
import type { FileTree, Host } from "./host.ts";
import { processes } from "./processes.ts";

export type AgentOfHost =
  | { readonly state: "runs"; readonly pid: number; readonly vxlanPort: number }
  /** It has run here, and has kept what it is to do: its wires stay for the next start. */
  | { readonly state: "stopped" }
  | { readonly state: "none" };

/** The default of `netloom agent --state-dir`. */
const STATE_DIRECTORY = "var/lib/netloom";

/** The agent of the network namespace that we are in. Agents of labs are in others. */
export function agentOfHost(tree: FileTree): AgentOfHost {
  const here = tree.target("proc/self/ns/net");
  const found = processes(tree).find(
    ({ pid }) => isAgent(tree, pid) && tree.target(`proc/${pid}/ns/net`) === here,
  );
  if (found) return { state: "runs", pid: found.pid, vxlanPort: vxlanPortOf(tree, found.pid) };
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

/** `--vxlan-port 4790`, `--vxlan-port=4790`, or NETLOOM_VXLAN_PORT. */
function vxlanPortOf(tree: FileTree, pid: number): number {
  const words = wordsOf(tree, pid);
  const at = words.findLastIndex((word) => /^--vxlan-port(=|$)/.test(word));
  const option = words[at] === "--vxlan-port" ? words[at + 1] : words[at]?.split("=")[1];
  const variable = /(?:^|\0)NETLOOM_VXLAN_PORT=([0-9]+)/.exec(tree.read(`proc/${pid}/environ`) ?? "")?.[1];
  return Number(option ?? variable) || VXLAN_PORT;
}

/** UDP port of the tunnels that `host` has, or will have. */
export function tunnelPort(host: Host): number {
  const agent = agentOfHost(host);
  return host.vxlanPort ?? (agent.state === "runs" ? agent.vxlanPort : VXLAN_PORT);
}
