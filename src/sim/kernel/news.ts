/** What a simulated machine says of itself to those who listen, and how a listener, who has a mark and names, understands it. */
import type { KernelEvent, Netns, OwnerMark } from "../../kernel/kernel.ts";
import type { KernelNews, Machinery, SimDevice } from "./state.ts";

/** Who listens. */
export interface Listening {
  readonly mark: OwnerMark;
  /** What is in news the doer, if it was this one. */
  readonly self: unknown;
}

/** `undefined` for what is no event to this listener. */
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

/** Tells what has become of a device, if that is a fact to anybody. */
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

/** The same of both ends of a pair: each tells the other's state by its carrier. */
export function announcePair(machine: Machinery, device: SimDevice): void {
  for (const each of device.peer ? [device, device.peer] : [device])
    if (!each.isDoomed) announceLink(machine, each);
}

export function announceEnd(machine: Machinery, device: SimDevice, dueMs?: number): void {
  device.told = undefined;
  machine.announce(device.netns, { type: "link", link: device.name, change: "removed" }, dueMs);
}

/** Somebody is at the other end. */
export function hasCarrier({ isUp, peer }: SimDevice): boolean {
  return isUp && (peer?.isUp ?? true);
}
