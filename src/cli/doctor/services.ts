/** Other programs that configure the network, and may change Netloom's objects as if they were their own. */
import { settingOf } from "../../doctor/agent-of-host.ts";
import { REMOTE_TYPES } from "../../mechanisms/list.ts";
import { ok, warning, type Check, type Report } from "../../doctor/check.ts";
import type { DoctorHost } from "./host.ts";
import type { FileTree } from "../../doctor/machine.ts";
import { processes } from "../../doctor/processes.ts";

/** Kinds of devices that Netloom makes in a host. */
const TUNNEL_KINDS = REMOTE_TYPES.flatMap(({ deviceKinds }) => deviceKinds);
const OWN_KINDS: readonly string[] = [...TUNNEL_KINDS, "veth"];

interface Trouble {
  readonly why: string;
  readonly remedy: string;
}

interface Service {
  /** Name as in /proc/PID/comm. */
  readonly process: string;
  readonly title: string;
  /** The harm that it would do to Netloom's objects in its current configuration; `undefined` for none. */
  readonly trouble: (host: DoctorHost) => Trouble | undefined;
}

const services: readonly Service[] = [
  { process: "NetworkManager", title: "NetworkManager", trouble: networkManager },
  { process: "systemd-network", title: "systemd-networkd", trouble: networkd },
  { process: "firewalld", title: "firewalld", trouble: firewalld },
  { process: "dockerd", title: "docker", trouble: docker },
];

export const servicesCheck: Check<DoctorHost> = { name: "services", title: "Services", run };

function run(host: DoctorHost): readonly Report[] {
  const running = new Set(processes(host).map(({ name }) => name));
  const findings = services
    .filter(({ process }) => running.has(process))
    .map(({ title, trouble }) => {
      const found = trouble(host);
      return found === undefined
        ? ok(`${title} runs, and leaves our devices alone`)
        : warning(`${title} runs`, found.why, found.remedy);
    });
  return findings.length > 0 ? findings : [ok("no other program configures the network")];
}

function networkManager(tree: FileTree): Trouble | undefined {
  const configurations = ["etc", "run", "usr/lib"].flatMap((top) =>
    tree
      .list(`${top}/NetworkManager/conf.d`)
      .map((file) => tree.read(`${top}/NetworkManager/conf.d/${file}`)),
  );
  const texts = [tree.read("etc/NetworkManager/NetworkManager.conf"), ...configurations];
  const isUnmanaged = (kind: string): boolean =>
    texts.some((text) =>
      new RegExp(`^\\s*unmanaged-devices\\s*=.*(type:${kind}|interface-name:(${kind}-)?\\*)`, "m").test(
        text ?? "",
      ),
    );
  if (TUNNEL_KINDS.every(isUnmanaged)) return undefined;
  return {
    why: "it may configure the tunnel devices that netloom makes in the host",
    remedy:
      `printf '[keyfile]\\nunmanaged-devices=${OWN_KINDS.map((kind) => `type:${kind}`).join(";")}\\n' > ` +
      "/etc/NetworkManager/conf.d/netloom.conf && nmcli general reload",
  };
}

/** A .network file whose [Match] takes any device makes networkd remove addresses and routes that it did not set. */
function networkd(tree: FileTree): Trouble | undefined {
  const first = networkFiles(tree).find(({ text }) => takesTunnels(text));
  if (first === undefined || /^\s*Unmanaged\s*=\s*(yes|true|1)/m.test(first.text)) return undefined;
  return {
    why: `/${first.path} matches every device, so it would take over those that netloom makes in the host`,
    remedy:
      `printf '[Match]\\nKind=${OWN_KINDS.join(" ")}\\n[Link]\\nUnmanaged=yes\\n' > ` +
      "/etc/systemd/network/00-netloom.network && networkctl reload",
  };
}

/** The .network files in networkd's order: by file name. Of files with the same name the first directory here wins. */
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

/** Returns whether [Match] requires only a kind or a name, and Netloom's tunnels have it. */
function takesTunnels(text: string): boolean {
  const match = /^\[Match\]\s*$([^[]*)/m.exec(text)?.[1] ?? "";
  const [condition, ...more] = match.split("\n").filter((line) => /^\s*\w+\s*=/.test(line));
  if (condition === undefined || more.length > 0) return false;
  const [key = "", values = ""] = condition.split("=").map((part) => part.trim());
  const patterns = values.split(/\s+/);
  return key === "Kind"
    ? TUNNEL_KINDS.some((kind) => patterns.includes(kind))
    : key === "Name" && patterns.includes("*");
}

function firewalld(host: DoctorHost): Trouble | undefined {
  const isOpen = (port: number): boolean => {
    const lets = new RegExp(`<port\\b(?=[^>]*port="${port}")(?=[^>]*protocol="udp")`);
    return host
      .list("etc/firewalld/zones")
      .some((file) => lets.test(host.read(`etc/firewalld/zones/${file}`) ?? ""));
  };
  const closed = tunnelPorts(host).filter((port) => !isOpen(port));
  if (closed.length === 0) return undefined;
  return {
    why: `no zone lets UDP ${closed.join(", ")} in: packets of wires from other hosts are dropped`,
    remedy: `firewall-cmd --permanent ${closed.map((port) => `--add-port=${port}/udp`).join(" ")} && firewall-cmd --reload`,
  };
}

function docker(host: DoctorHost): Trouble | undefined {
  const configuration = host.read("etc/docker/daemon.json") ?? "";
  if (/"(iptables"\s*:\s*false|ip-forward-no-drop"\s*:\s*true)/.test(configuration)) return undefined;
  const ports = tunnelPorts(host);
  const match = ports.length === 1 ? `--dport ${ports[0]}` : `-m multiport --dports ${ports.join(",")}`;
  return {
    why: "it sets the policy of FORWARD to drop: tunnel packets that this host routes for other hosts are lost",
    remedy: `iptables -I DOCKER-USER -p udp ${match} -j ACCEPT`,
  };
}

/** UDP ports of the tunnels that the machine has or will have. */
function tunnelPorts(host: DoctorHost): number[] {
  return REMOTE_TYPES.flatMap((type) => {
    const settings = Object.fromEntries(type.options.map((option) => [option.key, settingOf(host, option)]));
    return type.udpPort(settings) ?? [];
  });
}
