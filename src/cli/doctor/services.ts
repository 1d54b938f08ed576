/** Other programs that configure the network, and may take what is ours for theirs. */
import { tunnelPort } from "./agent-of-host.ts";
import { ok, warning, type Check, type Finding } from "./check.ts";
import type { FileTree, Host } from "./host.ts";
import { processes } from "./processes.ts";

interface Trouble {
  readonly why: string;
  readonly remedy: string;
}

interface Service {
  /** As in /proc/PID/comm. */
  readonly process: string;
  readonly title: string;
  /** What it would do to us as it is configured now; `undefined` if nothing. */
  readonly trouble: (host: Host) => Trouble | undefined;
}

const services: readonly Service[] = [
  { process: "NetworkManager", title: "NetworkManager", trouble: networkManager },
  { process: "systemd-network", title: "systemd-networkd", trouble: networkd },
  { process: "firewalld", title: "firewalld", trouble: firewalld },
  { process: "dockerd", title: "docker", trouble: docker },
];

export const servicesCheck: Check = { name: "services", title: "Services", run };

function run(host: Host): readonly Finding[] {
  const running = new Set(processes(host).map(({ name }) => name));
  const findings = services
    .filter(({ process }) => running.has(process))
    .map(({ title, trouble }) => {
      const found = trouble(host);
      return found === undefined
        ? ok(`${title} runs, and leaves our devices alone`)
        : warning(`${title} runs`, found.why, found.remedy);
    });
  return findings.length > 0 ? findings : [ok("nothing else configures the network")];
}

function networkManager(tree: FileTree): Trouble | undefined {
  const configurations = ["etc", "run", "usr/lib"].flatMap((top) =>
    tree
      .list(`${top}/NetworkManager/conf.d`)
      .map((file) => tree.read(`${top}/NetworkManager/conf.d/${file}`)),
  );
  const unmanaged = [tree.read("etc/NetworkManager/NetworkManager.conf"), ...configurations].some((text) =>
    /^\s*unmanaged-devices\s*=.*(type:vxlan|interface-name:(vxlan-)?\*)/m.test(text ?? ""),
  );
  if (unmanaged) return undefined;
  return {
    why: "it may configure the tunnel devices that netloom makes in the host",
    remedy:
      "printf '[keyfile]\\nunmanaged-devices=type:vxlan;type:veth\\n' > /etc/NetworkManager/conf.d/netloom.conf && nmcli general reload",
  };
}

/** A .network file whose [Match] takes any device makes networkd drop addresses and routes that it did not set. */
function networkd(tree: FileTree): Trouble | undefined {
  const first = networkFiles(tree).find(({ text }) => takesTunnels(text));
  if (first === undefined || /^\s*Unmanaged\s*=\s*(yes|true|1)/m.test(first.text)) return undefined;
  return {
    why: `/${first.path} matches every device, so it would take over those that netloom makes in the host`,
    remedy:
      "printf '[Match]\\nKind=vxlan veth\\n[Link]\\nUnmanaged=yes\\n' > /etc/systemd/network/00-netloom.network && networkctl reload",
  };
}

/** In the order in which networkd asks them: by file name, a directory before those that follow it here. */
function networkFiles(tree: FileTree): { path: string; text: string }[] {
  const byName = new Map<string, string>();
  for (const directory of ["etc", "run", "usr/lib"].map((top) => `${top}/systemd/network`)) {
    for (const name of tree.list(directory)) {
      if (name.endsWith(".network") && !byName.has(name)) byName.set(name, `${directory}/${name}`);
    }
  }
  const byCodeUnit = [...byName].sort(([a], [b]) => (a < b ? -1 : 1));
  return byCodeUnit.map(([, path]) => ({ path, text: tree.read(path) ?? "" }));
}

/** Whether [Match] asks for nothing but a kind or a name, and VXLAN devices of ours have it. */
function takesTunnels(text: string): boolean {
  const match = /^\[Match\]\s*$([^[]*)/m.exec(text)?.[1] ?? "";
  const [condition, ...more] = match.split("\n").filter((line) => /^\s*\w+\s*=/.test(line));
  if (condition === undefined || more.length > 0) return false;
  const [key = "", values = ""] = condition.split("=").map((part) => part.trim());
  const patterns = values.split(/\s+/);
  return key === "Kind" ? patterns.includes("vxlan") : key === "Name" && patterns.includes("*");
}

function firewalld(host: Host): Trouble | undefined {
  const port = tunnelPort(host);
  const lets = new RegExp(`<port\\b(?=[^>]*port="${port}")(?=[^>]*protocol="udp")`);
  const open = host
    .list("etc/firewalld/zones")
    .some((file) => lets.test(host.read(`etc/firewalld/zones/${file}`) ?? ""));
  if (open) return undefined;
  return {
    why: `no zone lets UDP ${port} in: wires from other hosts stay silent`,
    remedy: `firewall-cmd --permanent --add-port=${port}/udp && firewall-cmd --reload`,
  };
}

function docker(host: Host): Trouble | undefined {
  const configuration = host.read("etc/docker/daemon.json") ?? "";
  if (/"(iptables"\s*:\s*false|ip-forward-no-drop"\s*:\s*true)/.test(configuration)) return undefined;
  return {
    why: "it sets the policy of FORWARD to drop: an underlay that this host routes for others loses its tunnels",
    remedy: `iptables -I DOCKER-USER -p udp --dport ${tunnelPort(host)} -j ACCEPT`,
  };
}
