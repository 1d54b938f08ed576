/** Devices of the simulated machine that Netloom did not make: network cards, and cables to other machines. */
import type { Netns } from "../../kernel/kernel.ts";
import { familyOf } from "../../net/ip.ts";
import { defaultMetric, MAIN_TABLE } from "../../kernel/objects/route.ts";
import { destroyed, setDown, simDeviceOf } from "./links.ts";
import { announceEnd, announceLink, announcePair } from "./news.ts";
import {
  bare,
  type Machinery,
  type SimAddress,
  type SimDevice,
  type SimNetns,
  type Transmit,
} from "./state.ts";

/** One end of a cable. */
export interface CableEnd {
  readonly netns: Netns;
  readonly name: string;
  /** With prefix length. Default: none. */
  readonly addresses?: readonly string[];
}

/** Changes to a device by its owner. */
export interface DeviceChange {
  readonly isUp?: boolean;
  readonly mtuBytes?: number;
  readonly mac?: string;
  readonly name?: string;
  /** The bridge to join; "" for none. */
  readonly master?: string;
  /** An address to add, with prefix length. */
  readonly address?: string;
}

/**
 * A route that Netloom did not make. It replaces other foreign routes to the destination. Each next hop becomes an entry.
 */
export interface ForeignRoute {
  readonly destination: string;
  /** Empty: removes the route. */
  readonly hops: readonly { readonly link: string; readonly via: string }[];
  /** RTAX_MTU. Default: the MTU of the device. */
  readonly mtuBytes?: number;
}

type Found<T> = Omit<T, "netns"> & { readonly netns: SimNetns };

/** Adds a foreign device, which is up. */
export function foreign(
  machine: Machinery,
  given: Pick<SimDevice, "kind" | "transmit" | "netns" | "name" | "mtuBytes"> & {
    readonly addresses: readonly string[];
    readonly fabric?: string;
  },
): SimDevice {
  const { addresses, fabric, ...device } = given;
  const index = machine.nextIndex();
  const made: SimDevice = {
    ...device,
    index,
    mac: `06:00:00:00:${hexByte(index >> 8)}:${hexByte(index)}`,
    alias: "",
    linkLocal: true,
    group: 0,
    isUp: true,
    tunnel: undefined,
    externalPort: undefined,
    fabric,
    ...bare(),
    addresses: new Set(addresses.map(addressOf)),
  };
  made.netns.devices.set(made.name, made);
  announceLink(machine, made);
  return made;
}

function addressOf(address: string): SimAddress {
  return { address, family: familyOf(address), hasPeerRoute: true, lacksRoute: false, protocol: 0 };
}

export function plantCable(
  machine: Machinery,
  ends: readonly [Found<CableEnd>, Found<CableEnd>],
  mtuBytes: number,
): void {
  const [a, b] = ends.map(({ netns, name, addresses = [] }) =>
    foreign(machine, { kind: "cable", transmit: toPeer, netns, name, mtuBytes, addresses }),
  );
  if (!a || !b) return;
  a.peer = b;
  b.peer = a;
}

export function changeDevice(machine: Machinery, device: SimDevice, change: DeviceChange): void {
  const { isUp = device.isUp, mtuBytes = device.mtuBytes, mac = device.mac, name = device.name } = change;
  const { netns } = device;
  const master = change.master ?? device.master ?? "";
  if (!isUp) setDown({ machine }, device);
  netns.devices.delete(device.name);
  Object.assign(device, { isUp, mtuBytes, mac, name, master: master === "" ? undefined : master });
  netns.devices.set(name, device);
  announcePair(machine, device);
  if (change.address === undefined) return;
  const entry = addressOf(change.address);
  device.addresses.add(entry);
  machine.announce(netns, { type: "address", link: name, address: entry.address, change: "new" });
}

export function plantRoute(
  machine: Machinery,
  netns: SimNetns,
  { destination, hops, mtuBytes }: ForeignRoute,
): void {
  const news = { type: "route", protocol: 0, by: undefined } as const;
  for (const route of netns.routes)
    if (route.protocol === 0 && route.destination === destination) {
      netns.routes.delete(route);
      machine.announce(netns, { ...news, link: route.device.name, change: "removed" });
    }
  const family = familyOf(destination);
  for (const { link, via } of hops) {
    netns.routes.add({
      device: simDeviceOf(netns, link),
      family,
      destination,
      via,
      table: MAIN_TABLE,
      metric: defaultMetric(family),
      protocol: 0,
      ...(mtuBytes !== undefined && { mtuBytes }),
    });
    machine.announce(netns, { ...news, link, change: "new" });
  }
}

/** Removes a device and its peer at once. */
export function removeDevice(machine: Machinery, device: SimDevice): void {
  for (const each of device.peer ? [device, device.peer] : [device]) {
    destroyed(each);
    for (const [key, tunnel] of machine.tunnels) if (tunnel === each) machine.tunnels.delete(key);
    machine.uplinks.delete(each);
    announceEnd(machine, each);
  }
}

const toPeer: Transmit = (journey, frame, { peer }) => peer && journey.enter(peer, frame);

function hexByte(value: number): string {
  return (value & 0xff).toString(16).padStart(2, "0");
}
