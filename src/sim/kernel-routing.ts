/** Addresses, routes, rules and neighbours of the simulated machine, with Linux's rules of admission. */
import {
  contains,
  familyOf,
  formatPrefix,
  mustParseIp,
  mustParsePrefix,
  network,
  parsePrefix,
} from "../net/ip.ts";
import type { Address, Neighbor, Route, Rule } from "../kernel/kernel.ts";
import { defaultMetric, MAIN_TABLE } from "../kernel/objects/route.ts";
import { type Actor, deviceOf, type Undo } from "./kernel-links.ts";
import {
  Refused,
  type SimAddress,
  type SimDevice,
  type SimNetns,
  type SimRoute,
  type SimRule,
} from "./kernel-state.ts";

export function addAddress(actor: Actor, object: Address): Undo {
  const device = deviceOf(actor.find(object.netns), object.link);
  for (const text of [object.address, object.peer])
    if (text !== undefined && !parsePrefix(text))
      throw new Refused("EINVAL", `${text} is no address with prefix length`);
  const family = familyOf(object.address);
  if (family === 6 && device.mtuBytes < 1280) throw new Refused("EINVAL", "IPv6 needs an MTU of 1280");
  if (findAddress(device, object)) throw new Refused("EEXIST", "address exists");
  const { address, peer } = object;
  const hasPeerRoute = family === 4 || device.isUp;
  const entry: SimAddress = {
    address,
    family,
    hasPeerRoute,
    protocol: actor.mark.protocol,
    ...(peer === undefined ? {} : { peer }),
  };
  device.addresses.add(entry);
  actor.machine.announce(device.netns, { type: "address", change: "new" });
  return () => device.addresses.delete(entry);
}

/** The other end of a point-to-point address becomes another one; nothing else is touched. */
export function changeAddress(actor: Actor, object: Address, from: Address): Undo {
  const device = deviceOf(actor.find(from.netns), from.link);
  const entry = findAddress(device, from);
  if (!entry || entry.peer !== from.peer) throw new Refused("ENOENT", "there is no such address");
  device.addresses.delete(entry);
  try {
    const undo = addAddress(actor, object);
    return () => {
      undo();
      device.addresses.add(entry);
    };
  } catch (error) {
    device.addresses.add(entry);
    throw error;
  }
}

/** With the last IPv4 address of a device go its IPv4 routes and neighbours; routes from an address that no device has any more go everywhere. */
export function removeAddress(actor: Actor, object: Address): Undo | undefined {
  const netns = actor.find(object.netns);
  const device = netns.devices.get(object.link);
  const entry = device && findAddress(device, object);
  if (!device || entry?.protocol !== actor.mark.protocol || entry.peer !== object.peer) return undefined;
  device.addresses.delete(entry);
  actor.machine.announce(netns, { type: "address", change: "removed" });
  const own = hostPart(entry.address);
  const isLast = entry.family === 4 && ![...device.addresses].some((address) => address.family === 4);
  const lost = [...netns.routes].filter(
    (route) =>
      (isLast && route.device === device && route.family === 4) ||
      (route.source === own && !isLocal(netns, own)),
  );
  for (const route of lost) netns.routes.delete(route);
  const neighbors = [...device.neighbors].filter(([address]) => isLast && familyOf(address) === 4);
  for (const [address] of neighbors) device.neighbors.delete(address);
  return () => {
    device.addresses.add(entry);
    for (const [address, neighbor] of neighbors) device.neighbors.set(address, neighbor);
    for (const route of lost) if (!route.device.isDoomed) netns.routes.add(route);
  };
}

export function addRoute(actor: Actor, object: Route): Undo {
  const netns = actor.find(object.netns);
  const device = deviceOf(netns, object.link);
  const prefix = parsePrefix(object.destination);
  if (!prefix || formatPrefix(network(prefix)) !== object.destination)
    throw new Refused("EINVAL", "the destination is no canonical prefix");
  const family = familyOf(object.destination);
  const { destination, via, onlink, source } = object;
  const entry: SimRoute = {
    device,
    family,
    destination,
    table: object.table ?? MAIN_TABLE,
    metric: object.metric ?? defaultMetric(family),
    protocol: actor.mark.protocol,
    ...(via === undefined ? {} : { via }),
    ...(onlink ? { onlink } : {}),
    ...(source === undefined ? {} : { source }),
  };
  if (via !== undefined) checkGateway(netns, device, entry);
  if (!device.isUp) throw new Refused("ENETDOWN", "device for nexthop is not up");
  if (source !== undefined && !isLocal(netns, source)) throw new Refused("EINVAL", "invalid source address");
  if (findRoute(netns, object)) throw new Refused("EEXIST", "route exists");
  netns.routes.add(entry);
  return () => netns.routes.delete(entry);
}

export function removeRoute(actor: Actor, object: Route): Undo | undefined {
  const netns = actor.find(object.netns);
  const entry = findRoute(netns, object);
  if (entry?.protocol !== actor.mark.protocol || entry.device.name !== object.link) return undefined;
  netns.routes.delete(entry);
  return () => {
    if (!entry.device.isDoomed) netns.routes.add(entry);
  };
}

export function addRule(actor: Actor, object: Rule): Undo {
  const netns = actor.find(object.netns);
  if (findRule(actor, netns, object)) throw new Refused("EEXIST", "rule exists");
  const { kind: _kind, netns: _netns, ...fields } = object;
  const entry: SimRule = { ...fields, protocol: actor.mark.protocol };
  netns.rules.add(entry);
  return () => netns.rules.delete(entry);
}

export function removeRule(actor: Actor, object: Rule): Undo | undefined {
  const netns = actor.find(object.netns);
  const entry = findRule(actor, netns, object);
  if (!entry) return undefined;
  netns.rules.delete(entry);
  return () => netns.rules.add(entry);
}

export function addNeighbor(actor: Actor, object: Neighbor): Undo {
  const device = deviceOf(actor.find(object.netns), object.link);
  const { address, mac } = object;
  if (device.neighbors.has(address)) throw new Refused("EEXIST", "neighbor exists");
  device.neighbors.set(address, { address, mac, protocol: actor.mark.protocol });
  return () => device.neighbors.delete(address);
}

export function removeNeighbor(actor: Actor, object: Neighbor): Undo | undefined {
  const device = actor.find(object.netns).devices.get(object.link);
  const entry = device?.neighbors.get(object.address);
  if (!device || !entry) return undefined;
  device.neighbors.delete(object.address);
  return () => device.neighbors.set(object.address, entry);
}

/** The address before the slash. */
export function hostPart(prefix: string): string {
  return prefix.slice(0, prefix.indexOf("/"));
}

/** True if a device of the namespace has this address. */
function isLocal(netns: SimNetns, address: string): boolean {
  for (const device of netns.devices.values())
    for (const entry of device.addresses) if (hostPart(entry.address) === address) return true;
  return false;
}

/** What addresses put on the link without a route of their own. */
export function connectedPrefixes(device: SimDevice): string[] {
  return [...device.addresses]
    .filter((address) => address.hasPeerRoute || address.peer === undefined)
    .map((address) => address.peer ?? address.address);
}

function findAddress(device: SimDevice, object: Pick<Address, "address" | "peer">): SimAddress | undefined {
  const isIpv6 = familyOf(object.address) === 6;
  for (const entry of device.addresses) {
    if (hostPart(entry.address) !== hostPart(object.address)) continue;
    if (isIpv6 || onLink(entry) === onLink(object)) return entry;
  }
  return undefined;
}

/** Linux tells IPv4 addresses apart by the address and the prefix that they put on the link. */
function onLink(address: Pick<Address, "address" | "peer">): string {
  return formatPrefix(network(mustParsePrefix(address.peer ?? address.address)));
}

function findRoute(netns: SimNetns, object: Route): SimRoute | undefined {
  const family = familyOf(object.destination);
  for (const route of netns.routes) {
    const isSame =
      route.destination === object.destination &&
      route.table === (object.table ?? MAIN_TABLE) &&
      route.metric === (object.metric ?? defaultMetric(family));
    if (isSame) return route;
  }
  return undefined;
}

function checkGateway(netns: SimNetns, device: SimDevice, route: SimRoute): void {
  const { via, onlink, family } = route;
  if (via === undefined) return;
  if (isLocal(netns, via)) throw new Refused("EINVAL", "the gateway is an address of our own");
  if (onlink) return;
  const gateway = mustParseIp(via);
  const routed = [...netns.routes].filter(
    (each) =>
      each.device === device && each.via === undefined && [MAIN_TABLE, route.table].includes(each.table),
  );
  const prefixes = [
    ...(device.isUp ? connectedPrefixes(device) : []),
    ...routed.map((each) => each.destination),
  ];
  if (prefixes.some((prefix) => contains(mustParsePrefix(prefix), gateway))) return;
  throw new Refused(family === 4 ? "ENETUNREACH" : "EHOSTUNREACH", "nexthop has invalid gateway");
}

function findRule(actor: Actor, netns: SimNetns, object: Rule): SimRule | undefined {
  const wanted = ruleKey(object);
  for (const rule of netns.rules)
    if (rule.protocol === actor.mark.protocol && ruleKey(rule) === wanted) return rule;
  return undefined;
}

function ruleKey(rule: Omit<Rule, "kind" | "netns">): string {
  const { family, priority, table, from, to, ipProtocol, sourcePorts, destinationPorts, iif } = rule;
  return JSON.stringify([family, priority, table, from, to, ipProtocol, sourcePorts, destinationPorts, iif]);
}
