import type { Route } from "../../../kernel/kernel.ts";
import { defaultMetric, MAIN_TABLE } from "../../../kernel/objects/route.ts";
import {
  contains,
  familyOf,
  formatPrefix,
  mustParseIp,
  mustParsePrefix,
  network,
  parsePrefix,
} from "../../../net/ip.ts";
import { type Actor, simDeviceOf, type Undo } from "../links.ts";
import { connectedPrefixes, isOwnAddress } from "../routing.ts";
import { Refused, type SimDevice, type SimNetns, type SimRoute } from "../state.ts";
import type { SimObjectKind } from "../object-kind.ts";

export const route = {
  add: addRoute,
  remove: removeRoute,
  observe: ({ mark }, { netns, name, links }) =>
    [...netns.routes]
      .filter(({ protocol, device }) => protocol === mark.protocol && !device.isDoomed)
      .filter(({ device }) => !links || links.has(device.name))
      .map(({ device, family, table, metric, protocol: _protocol, ...rest }): Route => ({
        kind: "route",
        netns: name,
        link: device.name,
        ...rest,
        ...(table === MAIN_TABLE ? {} : { table }),
        ...(metric === defaultMetric(family) ? {} : { metric }),
      })),
} as const satisfies SimObjectKind<Route>;

function addRoute(actor: Actor, object: Route): Undo {
  const netns = actor.find(object.netns);
  const device = simDeviceOf(netns, object.link);
  const prefix = parsePrefix(object.destination);
  if (!prefix || formatPrefix(network(prefix)) !== object.destination)
    throw new Refused("EINVAL", "the destination is not a canonical prefix");
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
  if (source !== undefined && !isOwnAddress(netns, source))
    throw new Refused("EINVAL", "invalid source address");
  if (findRoute(netns, object)) throw new Refused("EEXIST", "route exists");
  netns.routes.add(entry);
  announce(actor, entry, "new");
  return () => {
    netns.routes.delete(entry);
    announce(actor, entry, "removed");
  };
}

function removeRoute(actor: Actor, object: Route): Undo | undefined {
  const netns = actor.find(object.netns);
  const entry = findRoute(netns, object);
  if (entry?.protocol !== actor.mark.protocol || entry.device.name !== object.link) return undefined;
  netns.routes.delete(entry);
  announce(actor, entry, "removed");
  return () => {
    if (entry.device.isDoomed) return;
    netns.routes.add(entry);
    announce(actor, entry, "new");
  };
}

function announce(by: Actor, { device, protocol }: SimRoute, change: "new" | "removed"): void {
  by.machine.announce(device.netns, { type: "route", link: device.name, protocol, by, change });
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
  if (isOwnAddress(netns, via)) throw new Refused("EINVAL", "the gateway is an address of our own");
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
