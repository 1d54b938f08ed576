/** Removals by other programs from a device or a namespace of the simulated machine: at once, whoever owns the objects. */
import { familyOf } from "../../net/ip.ts";
import { linkRoute } from "../../kernel/objects/address.ts";
import type { Machinery, SimDevice, SimNetns } from "./state.ts";

/** RTPROT_KERNEL: the protocol of routes that the kernel makes itself. */
const KERNEL = 2;

/** The objects of `ip address flush`, `ip route flush` or `ip neighbor flush nud permanent`. */
export type Flushed = "addresses" | "routes" | "neighbors";

export function flush(machine: Machinery, device: SimDevice, what: Flushed): void {
  const { netns, name: link } = device;
  if (what === "addresses") {
    for (const entry of device.addresses) {
      device.addresses.delete(entry);
      machine.announce(netns, { type: "address", link, address: entry.address, change: "removed" });
    }
    loseIpv4(device);
    return;
  }
  if (what === "neighbors") {
    for (const { protocol } of device.neighbors.values())
      machine.announce(netns, { type: "neighbor", link, protocol, by: undefined, change: "removed" });
    device.neighbors.clear();
    return;
  }
  // The kernel's own routes are removed too, so nothing on the link can be reached.
  device.lacksLinkLocal = device.linkLocal && device.isUp;
  for (const address of device.addresses)
    address.lacksRoute = device.isUp && linkRoute(address) !== undefined;
  machine.announce(netns, {
    type: "route",
    link,
    protocol: KERNEL,
    group: device.group,
    by: undefined,
    change: "removed",
  });
  for (const route of [...netns.routes].filter((each) => each.device === device)) {
    netns.routes.delete(route);
    const { protocol } = route;
    machine.announce(netns, { type: "route", link, protocol, by: undefined, change: "removed" });
  }
}

/** Equivalent to: `ip rule delete pref P`, repeated until none is left. */
export function dropRules(machine: Machinery, netns: SimNetns, priority: number): void {
  for (const rule of [...netns.rules].filter((each) => each.priority === priority)) {
    netns.rules.delete(rule);
    const { protocol } = rule;
    machine.announce(netns, { type: "route", protocol, by: undefined, change: "removed" });
  }
}

/** A device without IPv4 addresses has no IPv4 routes and neighbours. Linux does not notify of their removal. */
function loseIpv4({ netns, ...device }: SimDevice): void {
  for (const route of netns.routes)
    if (route.device.index === device.index && route.family === 4) netns.routes.delete(route);
  for (const address of device.neighbors.keys())
    if (familyOf(address) === 4) device.neighbors.delete(address);
}

/** Equivalent to: `tc qdisc delete dev L ingress` */
export function dropProgram(machine: Machinery, device: SimDevice): void {
  const { netns, name: link, group } = device;
  device.program = undefined;
  machine.announce(netns, {
    type: "program",
    link,
    protocol: 0,
    group,
    by: undefined,
    change: "removed",
  });
}
