import { failed, ok, warning, type Check, type Report } from "../../doctor/check.ts";
import type { DoctorHost } from "./host.ts";
import type { FileTree } from "../../doctor/machine.ts";

/** The same version as `engines` in package.json. */
const minimumNode = [24, 9] as const;
const minimumOpenFiles = 4096;

export const runtimeCheck: Check<DoctorHost> = {
  name: "runtime",
  title: "Runtime",
  run: (host) => [node(host), openFiles(host)],
};

function node(host: DoctorHost): Report {
  const [major = 0, minor = 0] = host.nodeVersion.split(".").map(Number);
  const enough = major > minimumNode[0] || (major === minimumNode[0] && minor >= minimumNode[1]);
  if (enough) return ok(`node ${host.nodeVersion}`);
  return failed(
    `node ${host.nodeVersion}`,
    `netloom needs node ${minimumNode.join(".")} or newer`,
    "npm ci (brings the right one; bin/netloom uses it)",
  );
}

/** Checks the limit of open files: a process without free descriptors accepts no calls, without any message. */
export function openFiles(tree: FileTree): Report {
  const line = /^Max open files\s+(\S+)/m.exec(tree.read("proc/self/limits") ?? "");
  const limit = line?.[1] ?? "unknown";
  if (limit === "unlimited" || limit === "unknown" || Number(limit) >= minimumOpenFiles) {
    return ok(`open files: limit ${limit}`);
  }
  return warning(
    `open files: limit ${limit}`,
    `every caller and every namespace of a batch takes a descriptor, and without a free one no call is answered; ${minimumOpenFiles} are enough`,
    `ulimit -n ${minimumOpenFiles}`,
  );
}
