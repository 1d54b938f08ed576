/** What others take off a device of the simulated machine, or out of a namespace: at once, whoever it belongs to. */
import { familyOf } from "../../net/ip.ts";
import { linkRoute } from "../../kernel/objects/address.ts";
import type { Machinery, SimDevice, SimNetns } from "./state.ts";

/** The protocol of routes that the kernel makes by itself: RTPROT_KERNEL. */
const KERNEL = 2;

/** `ip address flush`, `ip route flush`, `ip neighbor flush nud permanent`. */
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
  // The kernel's own go as well, and with them the way to whatever is on the link.
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

/** `ip rule delete pref P`, until there is none. */
export function dropRules(machine: Machinery, netns: SimNetns, priority: number): void {
  for (const rule of [...netns.rules].filter((each) => each.priority === priority)) {
    netns.rules.delete(rule);
    const { protocol } = rule;
    machine.announce(netns, { type: "route", protocol, by: undefined, change: "removed" });
  }
}

/** Without an IPv4 address a device has no IPv4 routes and neighbours; Linux says nothing of their end. */
function loseIpv4({ netns, ...device }: SimDevice): void {
  for (const route of netns.routes)
    if (route.device.index === device.index && route.family === 4) netns.routes.delete(route);
  for (const address of device.neighbors.keys())
    if (familyOf(address) === 4) device.neighbors.delete(address);
}

/** `tc qdisc delete dev L ingress` */
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
