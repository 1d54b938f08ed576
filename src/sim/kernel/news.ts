/** Notifications of a simulated machine, and their translation into events for a listener with a mark and names. */
import type { KernelEvent, Netns, OwnerMark } from "../../kernel/kernel.ts";
import type { KernelNews, Machinery, SimDevice } from "./state.ts";

/** The listener of a notification. */
export interface Listening {
  readonly mark: OwnerMark;
  /** The value of `by` in notifications about the listener's own changes. */
  readonly self: unknown;
}

/** The event for this listener; `undefined` if the notification does not concern it. */
export function understood(
  news: KernelNews,
  netns: Netns,
  { mark, self }: Listening,
): KernelEvent | undefined {
  switch (news.type) {
    case "link": {
      const { facts, ...rest } = news;
      if (!facts) return { ...rest, netns };
      const { group, ...told } = facts;
      return { ...rest, netns, facts: { ...told, isOurs: group === mark.group } };
    }
    case "route":
    case "neighbor":
    case "program": {
      const { type, change, link, protocol, group, by } = news;
      if (type === "route" && netns === "host") return { type, netns };
      const isOurs = protocol === mark.protocol || group === mark.group;
      const isLoss = change === "removed" && isOurs && by !== self;
      return isLoss ? { type, netns, ...(link !== undefined && { link }) } : undefined;
    }
    case "address":
    case "netns-removed":
    default:
      return { ...news, netns };
  }
}

/** Announces the state of a device, if a reported property has changed. */
export function announceLink(machine: Machinery, device: SimDevice): void {
  const { netns, name: link, mac, mtuBytes, isUp, alias, group, master, told } = device;
  const facts = { mac, mtuBytes, isUp, alias, group };
  const digest = JSON.stringify([link, facts, master, hasCarrier(device)]);
  if (told?.digest === digest) return;
  device.told = { name: link, digest };
  machine.announce(netns, {
    type: "link",
    link,
    change: told ? "changed" : "new",
    facts,
    ...(told !== undefined && told.name !== link && { formerly: told.name }),
  });
}

/** Announces both ends of a pair, because the carrier of each depends on the other. */
export function announcePair(machine: Machinery, device: SimDevice): void {
  for (const each of device.peer ? [device, device.peer] : [device])
    if (!each.isDoomed) announceLink(machine, each);
}

export function announceEnd(machine: Machinery, device: SimDevice, dueMs?: number): void {
  device.told = undefined;
  machine.announce(device.netns, { type: "link", link: device.name, change: "removed" }, dueMs);
}

/** Is the device up, and its peer too? */
export function hasCarrier({ isUp, peer }: SimDevice): boolean {
  return isUp && (peer?.isUp ?? true);
}
