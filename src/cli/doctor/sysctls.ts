import type { DoctorHost } from "./host.ts";
import { ok, warning, type Check, type Report } from "../../doctor/check.ts";
import type { FileTree } from "../../doctor/machine.ts";

interface Rule {
  /** Path below /proc/sys. */
  readonly name: string;
  /** Returns whether a value is harmless. */
  readonly good: (value: number) => boolean;
  readonly why: string;
  readonly set: number;
}

const rules: readonly Rule[] = [
  {
    name: "net/ipv4/conf/all/rp_filter",
    good: (value) => value !== 1,
    why: "strict reverse path filter: tunnel packets that come in by another uplink than the answer takes are dropped",
    set: 2,
  },
  {
    name: "net/ipv6/conf/all/disable_ipv6",
    good: (value) => value === 0,
    why: "IPv6 is off: no wire over an IPv6 underlay",
    set: 0,
  },
  {
    name: "kernel/unprivileged_bpf_disabled",
    good: (value) => value !== 0,
    why: "every user may load eBPF programs: a known way to read the memory of others",
    set: 1,
  },
  {
    name: "net/core/bpf_jit_enable",
    good: (value) => value !== 0,
    why: "eBPF programs are interpreted: wires between hosts are several times slower",
    set: 1,
  },
  {
    name: "net/core/rmem_max",
    good: (value) => value >= 212_992,
    why: "small receive buffers: bursts of kernel notifications overflow and cost a resynchronisation",
    set: 212_992,
  },
];

export const sysctlsCheck: Check<DoctorHost> = {
  name: "sysctls",
  title: "Sysctls",
  run: (host) => [writable(host), ...rules.map((rule) => judge(host, rule))],
};

/** Checks that /proc/sys is writable: in an unprivileged container it is read-only. */
export function writable(tree: FileTree): Report {
  const mounts = (tree.read("proc/self/mounts") ?? "").split("\n").map((line) => line.split(" "));
  // Of several mounts the last one is on top.
  const options = mounts.findLast(([, target]) => target === "/proc/sys" || target === "/proc")?.[3];
  if (!options?.split(",").includes("ro")) return ok("/proc/sys can be written");
  return warning(
    "/proc/sys is read-only",
    "devices keep the kernel's defaults: they accept router advertisements, and no IPv6 wire can be made where IPv6 is off",
    "mount -o remount,rw /proc/sys",
  );
}

function judge(tree: FileTree, rule: Rule): Report {
  const dotted = rule.name.replaceAll("/", ".");
  const value = tree.read(`proc/sys/${rule.name}`)?.trim();
  if (value === undefined) return ok(`${dotted}: not on this kernel`);
  const what = `${dotted} = ${value}`;
  return rule.good(Number(value)) ? ok(what) : warning(what, rule.why, `sysctl -w ${dotted}=${rule.set}`);
}
