/** What this machine does not allow, said once at the start of a daemon: later it looks like the fault of somebody else. */
import type { Log } from "../../observe/log.ts";
import { type FileTree, openFileTree } from "../doctor/host.ts";
import { openFiles } from "../doctor/runtime.ts";
import { writable } from "../doctor/sysctls.ts";

export function warnOfLimits(log: Log, tree: FileTree = openFileTree()): void {
  for (const finding of [openFiles(tree), writable(tree)])
    if (finding.status !== "ok") log.warn(finding.what, { why: finding.why, hint: finding.remedy });
}
