/** Warns once, at the start of a daemon, about limits of this machine: later they look like other faults. */
import type { Log } from "../../observe/log.ts";
import { type Report, ok, warning } from "../../doctor/check.ts";
import { openFileTree } from "../doctor/host.ts";
import type { FileTree } from "../../doctor/machine.ts";
import { openFiles } from "../doctor/runtime.ts";
import { writable } from "../doctor/sysctls.ts";

export function warnOfLimits(log: Log, tree: FileTree = openFileTree()): void {
  for (const finding of [openFiles(tree), writable(tree), lastingMounts(tree)])
    if (finding.status !== "ok") log.warn(finding.what, { why: finding.why, hint: finding.remedy });
}

/** Pins exist only as long as their mount namespace, and `ip netns exec` makes a new one for each command. */
function lastingMounts(tree: FileTree): Report {
  const [own, first] = [tree.target("proc/self/ns/mnt"), tree.target("proc/1/ns/mnt")];
  if (own === undefined || first === undefined || own === first)
    return ok("the machine's own mount namespace");
  return warning(
    "a mount namespace of its own",
    "the pins of eBPF programs are lost with it: the next start has to find the programs by their attachments",
    "nsenter --net=/run/netns/<name> netloom agent …, instead of ip netns exec",
  );
}
