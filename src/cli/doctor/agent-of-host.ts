/** Whether devices, routes and rules of ours have somebody who takes care of them. */
import type { FileTree } from "./host.ts";
import { processes } from "./processes.ts";

export type AgentOfHost =
  | { readonly state: "runs"; readonly pid: number }
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
  if (found) return { state: "runs", pid: found.pid };
  return { state: tree.list(STATE_DIRECTORY).includes("wish") ? "stopped" : "none" };
}

function isAgent(tree: FileTree, pid: number): boolean {
  const words = (tree.read(`proc/${pid}/cmdline`) ?? "").split("\0");
  const at = words.indexOf("agent");
  return at > 0 && /(main\.[jt]s|netloom)$/.test(words[at - 1] ?? "");
}
