/** Finds other users of the tunnels' UDP port, in this process's namespace: the port is that of this host's agent. */
import { settingOf } from "../../doctor/agent-of-host.ts";
import { failed, ok, warning, type Check, type Report } from "../../doctor/check.ts";
import type { DeviceFacts, FileTree, ExaminedMachine } from "../../doctor/machine.ts";
import { isOurs } from "../../doctor/marks.ts";
import { holderOfSocket } from "../../doctor/processes.ts";
import { portOption } from "./values.ts";

export const vxlanPortCheck: Readonly<Check> = { name: "vxlan-port", title: "UDP port of the tunnels", run };

const REFUSED =
  "the kernel cannot open the port for a tunnel: wires to other hosts are refused with EADDRINUSE";

function run(machine: ExaminedMachine): readonly Report[] {
  const port = settingOf(machine, portOption);
  const strangers = machine.devices.filter((device) => device.vxlan?.port === port && !isOurs(device.group));
  const findings = [...programs(machine, port), ...strangers.map((device) => neighbour(device, port))];
  return findings.length > 0 ? findings : [ok(`udp port ${port} is free`)];
}

/**
 * The shared tunnel device needs the port for itself, whatever kind the other device is; a device that is down does not use it.
 */
function neighbour({ name, isUp = true }: DeviceFacts, port: number): Report {
  const what = `${name} is a tunnel device on udp port ${port}, and not ours`;
  const otherPort = `netloom agent --${portOption.name} ${port + 1}`;
  return isUp
    ? failed(what, REFUSED, otherPort)
    : warning(`${what}; it is down`, `as soon as it is up ${REFUSED}`, otherPort);
}

/** A program that holds the port keeps the kernel from opening it: every VXLAN device stays down with EADDRINUSE. */
function programs(tree: FileTree, port: number): Report[] {
  const inodes = ["udp", "udp6"].flatMap((table) => inodesOn(tree, table, port));
  const findings = new Map<number, Report>();
  for (const inode of inodes) {
    const holder = holderOfSocket(tree, inode);
    if (holder === undefined) continue;
    const { name, pid } = holder;
    findings.set(pid, failed(`udp port ${port} is held by ${name} (pid ${pid})`, REFUSED, `kill ${pid}`));
  }
  return [...findings.values()];
}

/** Lines of /proc/net/udp: `sl local_address rem_address st queues timer retransmits uid timeout inode …`, in hex. */
function inodesOn(tree: FileTree, table: string, wanted: number): string[] {
  const port = `:${wanted.toString(16).toUpperCase().padStart(4, "0")}`;
  return (tree.read(`proc/self/net/${table}`) ?? "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(port))
    .map((columns) => columns[9] ?? "");
}
