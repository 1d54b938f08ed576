/** Who else is on the port of our tunnels: UDP 4789 (RFC 7348 section 5), in the namespace that we are in. */
import { failed, ok, warning, type Check, type Finding } from "./check.ts";
import type { FileTree, Host } from "./host.ts";
import { isOurs } from "./marks.ts";
import { holderOfSocket } from "./processes.ts";

const vxlanPort = 4789;

export const vxlanPortCheck: Check = { name: "vxlan-port", title: `UDP port ${vxlanPort}`, run };

function run(host: Host): readonly Finding[] {
  const strangers = host.devices.filter(
    (device) => device.vxlan?.port === vxlanPort && !isOurs(device.group),
  );
  const findings = [
    ...programs(host),
    ...strangers.map(({ name, vxlan }) => sharedPort(name, vxlan?.vni ?? 0)),
  ];
  return findings.length > 0 ? findings : [ok(`udp port ${vxlanPort} is free`)];
}

/** A device of somebody else shares the socket with ours; only one VNI cannot be used twice. */
function sharedPort(name: string, vni: number): Finding {
  return warning(
    `${name} uses vni ${vni} on udp port ${vxlanPort}, and is not ours`,
    "both work side by side, but a wire that is given the same vni is refused",
    `ip -d link show ${name}`,
  );
}

/** A program that holds the port keeps the kernel from opening it: every VXLAN device stays down with EADDRINUSE. */
function programs(tree: FileTree): Finding[] {
  const inodes = ["udp", "udp6"].flatMap((table) => inodesOn(tree, table));
  const findings = new Map<number, Finding>();
  for (const inode of inodes) {
    const holder = holderOfSocket(tree, inode);
    if (holder === undefined) continue;
    const { name, pid } = holder;
    findings.set(
      pid,
      failed(
        `udp port ${vxlanPort} is held by ${name} (pid ${pid})`,
        "the kernel cannot open the port for a tunnel: wires to other hosts are refused with EADDRINUSE",
        `kill ${pid}`,
      ),
    );
  }
  return [...findings.values()];
}

/** Lines of /proc/net/udp: `sl local_address rem_address st queues timer retransmits uid timeout inode …`, in hex. */
function inodesOn(tree: FileTree, table: string): string[] {
  const port = `:${vxlanPort.toString(16).toUpperCase().padStart(4, "0")}`;
  return (tree.read(`proc/self/net/${table}`) ?? "")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[1]?.endsWith(port))
    .map((columns) => columns[9] ?? "");
}
