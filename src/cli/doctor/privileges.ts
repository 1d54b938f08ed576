import type { DoctorHost } from "./host.ts";
import { NetloomError } from "../../errors/errors.ts";
import { failed, ok, warning, type Check, type Report } from "../../doctor/check.ts";
import { openFileTree } from "./host.ts";
import type { FileTree } from "../../doctor/machine.ts";

/** Bit numbers of include/uapi/linux/capability.h. CAP_BPF is split off CAP_SYS_ADMIN, which still implies it. */
const capabilities = [
  { name: "CAP_NET_ADMIN", bits: [12], why: "without it no device, address or route can be made" },
  { name: "CAP_SYS_ADMIN", bits: [21], why: "without it no network namespace can be made or entered" },
  { name: "CAP_BPF", bits: [39, 21], why: "without it no wire between hosts can be joined or counted" },
] as const;

export const privilegesCheck: Check<DoctorHost> = {
  name: "privileges",
  title: "Privileges",
  run: (host) => [...capabilities.map((wanted) => capability(host, wanted)), userNamespace(host)],
};

/**
 * Throws PERMISSION_DENIED if this process may not change the network. Called before anything else is done.
 *
 * @param attempt the action of the command: `bring up lab two-hosts`
 * @param again the command that the user should run as root
 */
export function requirePrivileges(attempt: string, again: string, tree: FileTree = openFileTree()): void {
  const missing = capabilities.filter((wanted) => !holds(tree, wanted.bits)).map(({ name }) => name);
  if (missing.length === 0) return;
  const hint = `run it as root: sudo ${again}`;
  throw new NetloomError("PERMISSION_DENIED", `${attempt}: needs root (missing: ${missing.join(", ")})`, {
    topic: "NL-103",
    hint,
  });
}

function capability(tree: FileTree, wanted: (typeof capabilities)[number]): Report {
  if (holds(tree, wanted.bits)) return ok(wanted.name);
  return failed(`${wanted.name} is missing`, wanted.why, "sudo netloom doctor");
}

function holds(tree: FileTree, bits: readonly number[]): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(tree.read("proc/self/status") ?? "")?.[1] ?? "0";
  return bits.some((bit) => (BigInt(`0x${effective}`) >> BigInt(bit)) & 1n);
}

/** In a user namespace every capability bit may be set although bpf(2) is refused. */
function userNamespace(tree: FileTree): Report {
  const [inside, outside, count] = (tree.read("proc/self/uid_map") ?? "0 0 4294967295").trim().split(/\s+/);
  if (inside === "0" && outside === "0" && count === "4294967295")
    return ok("the machine's own user namespace");
  return warning(
    "inside of a user namespace",
    "the kernel refuses eBPF programs here, even with all capabilities: no wires between hosts",
    "run netloom in the machine's own user namespace, as root",
  );
}
