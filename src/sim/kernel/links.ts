/** Creates, changes and removes devices of the simulated machine. */
import type { LinkEnd, Netns, OwnerMark } from "../../kernel/kernel.ts";
import { IPV6_MIN_MTU } from "../../net/link-local.ts";
import { isUnicastMac, parseMac } from "../../net/mac.ts";
import { type Device, endsOf } from "../../kernel/objects.ts";
import { announceEnd, announceLink, announcePair } from "./news.ts";
import { bare, type Machinery, Refused, type SimDevice, type SimNetns } from "./state.ts";

/** Undoes one operation. */
export type Undo = () => void;

/** The kernel that performs an operation: its mark, its pins, its home namespace, and the machine. */
export interface Actor {
  readonly mark: OwnerMark;
  readonly pins: string;
  readonly home: SimNetns;
  readonly machine: Machinery;
  /** Refused with ENOENT if the namespace does not exist. */
  find(netns: Netns): SimNetns;
  /** As `find`, but returns `undefined`. */
  lookUp(netns: Netns): SimNetns | undefined;
}

const longestName = 15;

export function simDeviceOf(netns: SimNetns, name: string): SimDevice {
  const device = netns.devices.get(name);
  if (!device || device.isDoomed) throw new Refused("ENODEV", `there is no device ${name}`);
  return device;
}

/** The time at which the kernel has freed the devices in the way of `object`; `undefined` if none is under deletion. */
export function busyUntilMs(
  actor: Actor,
  object: Device,
  inTheWay: SimDevice | undefined,
): number | undefined {
  const named = endsOf(object).map((end) => actor.find(end.netns).devices.get(end.name));
  const times = [...named, inTheWay].map((device) => device?.goneAtMs ?? 0);
  return Math.max(...times) > actor.machine.nowMs() ? Math.max(...times) : undefined;
}

/** Sets name, MTU, alias and MAC of all ends to those of `object`. */
export function changeEnds(actor: Actor, object: Device, from: Device): Undo {
  const names = endsOf(from).map(({ name }) => name);
  const ends = endsOf(object).map((end, i) => ({
    end,
    device: simDeviceOf(actor.find(end.netns), names[i] ?? end.name),
  }));
  for (const { end, device } of ends) {
    checkValues(end);
    if (end.name !== device.name && device.netns.devices.has(end.name))
      throw new Refused("EEXIST", `device ${end.name} exists`, {
        at: { netns: end.netns, link: end.name },
      });
  }
  const undos = ends.map(({ end, device }) => changeEnd(actor, device, end));
  return () => {
    for (const undo of undos.toReversed()) undo();
  };
}

/** Undoes the addition of a device. */
export function destroy({ machine }: Actor, device: SimDevice): void {
  doom(machine, device);
}

/** A device as a `LinkEnd`. */
export function endOf(naming: Naming, device: SimDevice): LinkEnd {
  return {
    netns: naming.nameOf(device.netns),
    name: device.name,
    mac: device.mac,
    mtuBytes: device.mtuBytes,
    alias: device.alias,
    ...(device.linkLocal && device.mtuBytes >= IPV6_MIN_MTU ? { linkLocal: true } : {}),
  };
}

interface Naming {
  nameOf(netns: SimNetns): Netns;
}

/**
 * Hides both ends of a veth pair, or a single device, until `bury` removes it or the undo restores it. Ignores a device
 * that is missing, without the mark, of another kind or of another owner. One remaining end is enough to find a veth.
 */
export function hideDevice(actor: Actor, object: Device): Undo {
  const [device, other] = endsOf(object).flatMap((end) => {
    const found = actor.lookUp(end.netns)?.devices.get(end.name);
    const isOurs = found?.group === actor.mark.group && found.kind === object.kind;
    // A device hidden by this batch still counts: it identifies its pair.
    return isOurs && found.goneAtMs === undefined && found.alias === end.alias ? [found] : [];
  });
  const isDevice = device && (other === undefined || other === device.peer);
  const hidden = isDevice ? hide(actor.machine, device) : [];
  return () => {
    for (const each of hidden) {
      if (!each.netns.isAlive) continue;
      each.isDoomed = false;
      announceLink(actor.machine, each);
    }
  };
}

/** Begins the removal of a hidden device. */
export function bury(actor: Actor, object: Device): void {
  for (const end of endsOf(object)) {
    const device = actor.lookUp(end.netns)?.devices.get(end.name);
    if (device?.isDoomed && device.goneAtMs === undefined) doom(actor.machine, device);
  }
}

/** Sets the link down and removes its routes, its neighbours and its IPv6 addresses, as Linux does. */
export function setDown({ machine }: Pick<Actor, "machine">, device: SimDevice): Undo {
  if (!device.isUp) return () => {};
  const routes = [...device.netns.routes].filter((route) => route.device === device);
  const addresses = [...device.addresses].filter((address) => address.family === 6);
  const neighbors = [...device.neighbors];
  device.isUp = false;
  device.lacksLinkLocal = false;
  for (const address of device.addresses) address.lacksRoute = false;
  for (const route of routes) device.netns.routes.delete(route);
  for (const address of addresses) device.addresses.delete(address);
  device.neighbors.clear();
  announcePair(machine, device);
  return () => {
    device.isUp = true;
    announcePair(machine, device);
    for (const address of addresses) device.addresses.add(address);
    for (const route of routes) device.netns.routes.add(route);
    for (const [key, neighbor] of neighbors) device.neighbors.set(key, neighbor);
  };
}

/** Begins the removal of a device by its owner: hidden from observers at once, name and VNI free a little later. */
function doom(machine: Machinery, device: SimDevice): void {
  hide(machine, device);
  for (const each of withPeer(device)) {
    each.goneAtMs = machine.nowMs() + machine.deletionMs;
    machine.dying.add(each);
    dissolve(each);
  }
}

function hide(machine: Machinery, device: SimDevice): SimDevice[] {
  const seen = withPeer(device).filter((each) => !each.isDoomed);
  for (const each of seen) {
    each.isDoomed = true;
    announceEnd(machine, each);
  }
  return seen;
}

function withPeer(device: SimDevice): SimDevice[] {
  return device.peer ? [device, device.peer] : [device];
}

/** Removes a device completely and frees its name. */
export function destroyed(device: SimDevice): void {
  device.isDoomed = true;
  dissolve(device);
  device.netns.devices.delete(device.name);
}

/** Removes everything on a device. */
export function dissolve(device: SimDevice): void {
  device.isUp = false;
  device.program = undefined;
  device.kept.clear();
  device.addresses.clear();
  device.neighbors.clear();
  for (const route of device.netns.routes) if (route.device === device) device.netns.routes.delete(route);
}

export function checkEnd(actor: Actor, end: LinkEnd): void {
  const netns = actor.find(end.netns);
  if (end.name.length > longestName)
    throw new Refused("ERANGE", `the name ${end.name} is over 15 bytes long`);
  if (!/^[^\s/:]+$/.test(end.name) || end.name === "." || end.name === "..")
    throw new Refused("EINVAL", `${end.name} is not a device name`);
  checkValues(end);
  const taken = netns.devices.get(end.name);
  if (taken) {
    const owner = taken.group === actor.mark.group ? "" : ", and is not ours";
    throw new Refused("EEXIST", `device ${end.name} exists${owner}`, {
      at: { netns: end.netns, link: end.name },
    });
  }
}

function checkValues(end: LinkEnd): void {
  if (end.mtuBytes < 68 || end.mtuBytes > 65535)
    throw new Refused("EINVAL", `the MTU ${end.mtuBytes} does not fit`);
  const mac = parseMac(end.mac);
  if (!mac || !isUnicastMac(mac))
    throw new Refused("EADDRNOTAVAIL", `${end.mac} is not an address for a device`);
}

/** The properties of a device that its end does not have. */
type Nature = Pick<SimDevice, "kind" | "transmit"> & Partial<Pick<SimDevice, "tunnel" | "externalPort">>;

export function born(actor: Actor, end: LinkEnd, nature: Nature): SimDevice {
  const netns = actor.find(end.netns);
  const { name, mac, mtuBytes, alias, linkLocal = false } = end;
  const device: SimDevice = {
    tunnel: undefined,
    externalPort: undefined,
    ...nature,
    netns,
    name,
    index: actor.machine.nextIndex(),
    mac,
    mtuBytes,
    alias,
    linkLocal,
    group: actor.mark.group,
    isUp: false,
    fabric: undefined,
    ...bare(),
  };
  netns.devices.set(name, device);
  announceLink(actor.machine, device);
  return device;
}

function changeEnd(actor: Actor, device: SimDevice, end: Omit<LinkEnd, "netns">): Undo {
  const { name, mac, mtuBytes, alias, linkLocal = false } = end;
  const before = {
    name: device.name,
    mac: device.mac,
    mtuBytes: device.mtuBytes,
    alias: device.alias,
    linkLocal: device.linkLocal,
  };
  const put = (values: typeof before): void => {
    device.netns.devices.delete(device.name);
    Object.assign(device, values);
    device.netns.devices.set(device.name, device);
    announceLink(actor.machine, device);
  };
  put({ name, mac, mtuBytes, alias, linkLocal });
  return () => put(before);
}
