import type { Address } from "../../../kernel/kernel.ts";
import { familyOf, formatPrefix, mustParsePrefix, network, parsePrefix } from "../../../net/ip.ts";
import { type Actor, simDeviceOf, type Undo } from "../links.ts";
import { hostPart, isOwnAddress } from "../routing.ts";
import { Refused, type SimAddress, type SimDevice } from "../state.ts";
import { devicesOf, type SimObjectKind } from "../object-kind.ts";

export const address = {
  add: addAddress,
  change: changeAddress,
  remove: removeAddress,
  observe: ({ mark }, view) =>
    devicesOf(view).flatMap(({ name, addresses }) =>
      [...addresses]
        .filter(({ protocol }) => protocol === mark.protocol)
        .map(({ address, peer, lacksRoute }): Address => ({
          kind: "address",
          netns: view.name,
          link: name,
          address,
          ...(peer === undefined ? {} : { peer }),
          ...(lacksRoute && { lacksRoute }),
        })),
    ),
} as const satisfies SimObjectKind<Address>;

function addAddress(actor: Actor, object: Address): Undo {
  const device = simDeviceOf(actor.find(object.netns), object.link);
  for (const text of [object.address, object.peer])
    if (text !== undefined && !parsePrefix(text))
      throw new Refused("EINVAL", `${text} is not an address with prefix length`);
  const family = familyOf(object.address);
  if (family === 6 && device.mtuBytes < 1280) throw new Refused("EINVAL", "IPv6 needs an MTU of 1280");
  if (findAddress(device, object)) throw new Refused("EEXIST", "address exists");
  const { address, peer } = object;
  const hasPeerRoute = family === 4 || device.isUp;
  const entry: SimAddress = {
    address,
    family,
    hasPeerRoute,
    lacksRoute: false,
    protocol: actor.mark.protocol,
    ...(peer === undefined ? {} : { peer }),
  };
  device.addresses.add(entry);
  announce(actor, device, entry, "new");
  return () => {
    device.addresses.delete(entry);
    announce(actor, device, entry, "removed");
  };
}

/** Changes the peer of a point-to-point address, and nothing else. */
function changeAddress(actor: Actor, object: Address, from: Address): Undo {
  const device = simDeviceOf(actor.find(from.netns), from.link);
  const entry = findAddress(device, from);
  if (!entry || entry.peer !== from.peer) throw new Refused("ENOENT", "there is no such address");
  if (from.lacksRoute) {
    entry.lacksRoute = false;
    return () => (entry.lacksRoute = true);
  }
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

/**
 * Removing the last IPv4 address of a device removes its IPv4 routes and neighbours. Routes whose source no device has any
 * more are removed everywhere.
 */
function removeAddress(actor: Actor, object: Address): Undo | undefined {
  const netns = actor.find(object.netns);
  const device = netns.devices.get(object.link);
  const entry = device && findAddress(device, object);
  if (!device || entry?.protocol !== actor.mark.protocol || entry.peer !== object.peer) return undefined;
  device.addresses.delete(entry);
  announce(actor, device, entry, "removed");
  const own = hostPart(entry.address);
  const isLast = entry.family === 4 && ![...device.addresses].some((address) => address.family === 4);
  const lost = [...netns.routes].filter(
    (route) =>
      (isLast && route.device === device && route.family === 4) ||
      (route.source === own && !isOwnAddress(netns, own)),
  );
  for (const route of lost) netns.routes.delete(route);
  const neighbors = [...device.neighbors].filter(([address]) => isLast && familyOf(address) === 4);
  for (const [address] of neighbors) device.neighbors.delete(address);
  return () => {
    device.addresses.add(entry);
    announce(actor, device, entry, "new");
    for (const [address, neighbor] of neighbors) device.neighbors.set(address, neighbor);
    for (const route of lost) if (!route.device.isDoomed) netns.routes.add(route);
  };
}

function announce(
  { machine }: Actor,
  { netns, name: link }: SimDevice,
  { address }: SimAddress,
  change: "new" | "removed",
): void {
  machine.announce(netns, { type: "address", link, address, change });
}

function findAddress(device: SimDevice, object: Pick<Address, "address" | "peer">): SimAddress | undefined {
  const isIpv6 = familyOf(object.address) === 6;
  for (const entry of device.addresses) {
    if (hostPart(entry.address) !== hostPart(object.address)) continue;
    if (isIpv6 || onLink(entry) === onLink(object)) return entry;
  }
  return undefined;
}

/** Linux identifies an IPv4 address by the address and its on-link prefix. */
function onLink(address: Pick<Address, "address" | "peer">): string {
  return formatPrefix(network(mustParsePrefix(address.peer ?? address.address)));
}
