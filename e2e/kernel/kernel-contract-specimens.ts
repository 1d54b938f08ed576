/**
 * One specimen of every kind of object, in the scene of all cases:
 *
 *   [host: ch-1 10.0.0.1, fd00::1]===veth===[workload: nl-1 10.0.0.2, fd00::2]
 */
import type { Guard } from "../../src/kernel/guard.ts";
import { hash64 } from "../../src/net/hash.ts";
import type {
  ExternalVxlan,
  KernelObject,
  LinkEnd,
  Netns,
  Qdisc,
  Rule,
  Tunnel,
  Veth,
  Vxlan,
} from "../../src/kernel/kernel.ts";

export interface Specimen {
  readonly title: string;
  /** As in `ContractCase`. */
  readonly needs?: readonly string[];
  /** Objects that the specimen needs, besides the scene. */
  readonly before?: readonly KernelObject[];
  readonly object: KernelObject;
  /** The same object with other values, if it can be changed. */
  readonly changed?: KernelObject;
}

export function scene(workload: Netns): KernelObject[] {
  return [
    veth(workload),
    { kind: "up", netns: "host", link: "ch-1" },
    { kind: "up", netns: workload, link: "nl-1" },
    { kind: "address", netns: "host", link: "ch-1", address: "10.0.0.1/24" },
    { kind: "address", netns: workload, link: "nl-1", address: "10.0.0.2/24" },
    { kind: "address", netns: "host", link: "ch-1", address: "fd00::1/64" },
    { kind: "address", netns: workload, link: "nl-1", address: "fd00::2/64" },
  ];
}

export function veth(workload: Netns): Veth {
  return { kind: "veth", ends: [end("host", "ch-1", 1), end(workload, "nl-1", 2)] };
}

export function end(netns: Netns, name: string, number: number): LinkEnd {
  const mac = `02:00:00:00:00:${number.toString(16).padStart(2, "0")}`;
  return { netns, name, mac, mtuBytes: 1500, alias: `client-${name}` };
}

/** An end with an IPv6 link-local address. */
export function linked(netns: Netns, name: string, number: number): LinkEnd {
  return { ...end(netns, name, number), linkLocal: true };
}

/** A device with one end. Devices with different names do not conflict. */
export function lone(netns: Netns, name: string): Vxlan {
  const vni = 2 ** 20 + Number(hash64(name) % 2n ** 20n);
  return { ...vxlan(netns, name, vni), mac: "02:00:00:00:00:20" };
}

export function vxlan(netns: Netns, name: string, vni = 42): Vxlan {
  const tunnel = { vni, local: "10.0.0.1", remote: "10.0.0.9", port: 4789 } as const;
  return { kind: "vxlan", ...end(netns, name, 0x30 + (vni % 16)), ...tunnel, mtuBytes: 1446 };
}

export function vxlan6(netns: Netns, name: string, vni = 42): Vxlan {
  return { ...vxlan(netns, name, vni), local: "fd00::1", remote: "fd00::9", mtuBytes: 1426 };
}

/** In metadata mode. */
export const shared: ExternalVxlan = {
  kind: "external-vxlan",
  ...end("host", "nlx-1", 0x50),
  mtuBytes: 1446,
  port: 4790,
};

export const tunnel: Tunnel = { vni: 7, local: "10.0.0.1", remote: "10.0.0.9", port: shared.port };

export function tbf(link: string): Qdisc {
  const shape = {
    type: "tbf",
    rateBitsPerSecond: 8_000_000,
    burstBytes: 10_000,
    limitBytes: 100_000,
  } as const;
  return { kind: "qdisc", netns: "host", link, shape };
}

export function specimens(workload: Netns, other: Netns): Specimen[] {
  return [
    ...devices(workload, other),
    ...addresses(workload),
    ...routes(workload),
    ...rules(workload),
    ...attached(workload),
  ];
}

function devices(workload: Netns, other: Netns): Specimen[] {
  const far: Veth = { kind: "veth", ends: [end(workload, "nsm-1", 3), end(other, "nse-1", 4)] };
  const near: Veth = { kind: "veth", ends: [end("host", "left", 5), end("host", "right", 6)] };
  const smaller = { mtuBytes: 1400, alias: "another owner" };
  return [
    {
      title: "a veth pair between two workloads",
      object: far,
      changed: {
        kind: "veth",
        ends: [
          { ...far.ends[0], ...smaller },
          { ...far.ends[1], mac: "02:00:00:00:00:55" },
        ],
      },
    },
    {
      title: "a veth pair whose ends have link-local addresses",
      object: { kind: "veth", ends: [linked(workload, "nsm-1", 3), linked(other, "nse-1", 4)] },
      changed: {
        kind: "veth",
        ends: [end(workload, "nsm-1", 3), { ...linked(other, "nse-1", 4), mac: "02:00:00:00:00:55" }],
      },
    },
    { title: "a veth pair within one namespace", object: near },
    {
      title: "a VXLAN device over IPv4",
      object: vxlan("host", "vx-1"),
      changed: { ...vxlan("host", "vx-1"), ...smaller, local: "10.0.0.7", remote: "10.0.0.8" },
    },
    {
      title: "a VXLAN device over IPv6",
      object: vxlan6("host", "vx-1"),
      changed: { ...vxlan6("host", "vx-1"), local: "fd00::7", remote: "fd00::8" },
    },
    { title: "the shared VXLAN device of all tunnels", object: shared, changed: { ...shared, ...smaller } },
    { title: "a VXLAN device in a workload, with its socket in the host", object: vxlan(workload, "vx-1") },
    {
      title: "a device that is up",
      before: [lone(workload, "dev-1")],
      object: { kind: "up", netns: workload, link: "dev-1" },
    },
  ];
}

function addresses(netns: Netns): Specimen[] {
  const on = { kind: "address", netns, link: "nl-1" } as const;
  return [
    { title: "an IPv4 address", object: { ...on, address: "10.1.0.1/30" } },
    {
      title: "an IPv4 address with a peer",
      object: { ...on, address: "10.1.0.1/32", peer: "10.1.0.2/32" },
      changed: { ...on, address: "10.1.0.1/32", peer: "10.1.0.3/32" },
    },
    { title: "an IPv6 address", object: { ...on, address: "fd01::1/64" } },
    {
      title: "an IPv6 address with a peer",
      object: { ...on, address: "fd01::1/128", peer: "fd01::2/128" },
      changed: { ...on, address: "fd01::1/128", peer: "fd01::3/128" },
    },
    {
      title: "an address on a link that is down",
      before: [lone(netns, "dev-1")],
      object: { kind: "address", netns, link: "dev-1", address: "fd01::1/128" },
    },
  ];
}

function routes(netns: Netns): Specimen[] {
  const on = { kind: "route", netns, link: "nl-1" } as const;
  return [
    { title: "an IPv4 route on the link", object: { ...on, destination: "10.2.0.0/24" } },
    {
      title: "an IPv4 route by a next hop",
      object: { ...on, destination: "10.2.0.0/24", via: "10.0.0.1" },
      changed: { ...on, destination: "10.2.0.0/24", via: "10.0.0.3" },
    },
    {
      title: "an IPv4 route by a next hop without a route (onlink)",
      object: { ...on, destination: "10.2.0.0/24", via: "10.9.0.1", onlink: true },
    },
    { title: "the IPv4 default route", object: { ...on, destination: "0.0.0.0/0", via: "10.0.0.1" } },
    {
      title: "an IPv4 route with table, metric and source",
      object: { ...on, destination: "10.2.0.0/24", table: 1000, metric: 7, source: "10.0.0.2" },
    },
    { title: "an IPv6 route on the link", object: { ...on, destination: "fd02::/64" } },
    {
      title: "an IPv6 route by a next hop",
      object: { ...on, destination: "fd02::/64", via: "fd00::1" },
      changed: { ...on, destination: "fd02::/64", via: "fd00::3" },
    },
    {
      title: "an IPv6 route by a next hop without a route (onlink)",
      object: { ...on, destination: "fd02::/64", via: "fd09::1", onlink: true },
    },
    { title: "the IPv6 default route", object: { ...on, destination: "::/0", via: "fd00::1" } },
    {
      title: "an IPv6 route with table, metric and source",
      object: { ...on, destination: "fd02::/64", table: 1000, metric: 7, source: "fd00::2" },
    },
    {
      title: "a second route to the same destination with another metric",
      before: [{ ...on, destination: "10.2.0.0/24" }],
      object: { ...on, destination: "10.2.0.0/24", metric: 5 },
    },
  ];
}

function rules(netns: Netns): Specimen[] {
  const plain: Rule = { kind: "rule", netns, family: 4, priority: 100, table: 1000, from: "10.0.0.2/32" };
  const ports = { ipProtocol: 6, sourcePorts: [1024, 2048], destinationPorts: [80, 80] } as const;
  return [
    { title: "an IPv4 rule", object: plain },
    {
      title: "an IPv4 rule with every selector",
      object: { ...plain, ...ports, to: "10.3.0.0/16", iif: "nl-1" },
    },
    {
      title: "an IPv6 rule with every selector",
      object: { ...plain, ...ports, family: 6, from: "fd00::2/128", to: "fd03::/64", iif: "nl-1" },
    },
    {
      title: "a second rule with the same priority",
      before: [plain],
      object: { ...plain, from: "10.0.0.77/32" },
    },
  ];
}

const guard: Guard = { mac: "02:00:00:00:00:78", sources: ["10.0.0.1/32", "10.9.0.0/16", "fd00::1/128"] };
/** More prefixes than fit into one element of a map. */
const MANY = Array.from({ length: 20 }, (_, n) => `10.${n}.0.0/16`).sort();

function attached(netns: Netns): Specimen[] {
  const neighbor = { kind: "neighbor", netns, link: "nl-1", mac: "02:00:00:00:00:77" } as const;
  const program = { kind: "program", netns: "host", link: "ch-1" } as const;
  return [
    {
      title: "an IPv4 neighbour",
      object: { ...neighbor, address: "10.0.0.7" },
      changed: { ...neighbor, address: "10.0.0.7", mac: "02:00:00:00:00:78" },
    },
    {
      title: "an IPv6 neighbour",
      object: { ...neighbor, address: "fd00::7" },
      changed: { ...neighbor, address: "fd00::7", mac: "02:00:00:00:00:78" },
    },
    {
      title: "a program that passes",
      needs: ["tcx links"],
      object: { kind: "program", netns, link: "nl-1", verdict: "pass" },
    },
    {
      title: "a program that redirects",
      before: [vxlan("host", "vx-1", 1), vxlan("host", "vx-2", 2)],
      object: { ...program, verdict: "redirect", target: "vx-1" },
      changed: { ...program, verdict: "redirect", target: "vx-2" },
    },
    {
      title: "a program with a guard and a short cut",
      before: [vxlan("host", "vx-1", 1)],
      object: { ...program, verdict: "redirect", target: "vx-1", guard, mac: "02:00:00:00:00:77" },
      changed: { ...program, verdict: "redirect", target: "vx-1", guard: { sources: [], serves: ["dhcp"] } },
    },
    {
      title: "a program that redirects to a veth's far end",
      before: [vxlan("host", "vx-1")],
      object: { kind: "program", netns: "host", link: "vx-1", verdict: "redirect-peer", target: "ch-1" },
      changed: { kind: "program", netns: "host", link: "vx-1", verdict: "pass" },
    },
    {
      title: "a program that sends into a tunnel",
      object: { ...program, verdict: "encapsulate", tunnel },
      changed: { ...program, verdict: "encapsulate", tunnel: { ...tunnel, vni: 8 } },
    },
    {
      title: "a program with a guard for each direction of its tunnel",
      object: { ...program, verdict: "encapsulate", guard, tunnel: { ...tunnel, guard } },
      changed: {
        ...program,
        verdict: "encapsulate",
        guard: { sources: ["::/0"] },
        tunnel: { ...tunnel, guard: { ...guard, sources: MANY } },
      },
    },
    {
      title: "a program that takes frames out of tunnels",
      before: [shared],
      object: {
        kind: "program",
        netns: "host",
        link: shared.name,
        verdict: "decapsulate",
        port: shared.port,
      },
    },
    {
      title: "a token bucket",
      object: tbf("ch-1"),
      changed: {
        ...tbf("ch-1"),
        shape: { type: "tbf", rateBitsPerSecond: 16_000_000, burstBytes: 20_000, limitBytes: 50_000 },
      },
    },
  ];
}
