/**
 * How one kind of kernel object behaves on the simulated machine, with Linux' rules of admission. A kind is a file in objects/
 * and a line in the list of objects.ts.
 */
import type { Netns, OwnerMark } from "../../kernel/kernel.ts";
import type { Actor, Undo } from "./links.ts";
import type { SimDevice, SimNetns } from "./state.ts";

export interface SimObjectKind<T> {
  /** Throws `Refused`, and leaves everything as it was. */
  add(actor: Actor, object: T): Undo;
  /** In place. Default: the old one is removed and the new one added, or nothing is done. */
  change?(actor: Actor, object: T, from: T): Undo;
  /** `undefined` if there was nothing to remove. A device that is removed has yet to be buried. */
  remove(actor: Actor, object: T): Undo | undefined;
  /** Those with the observer's mark. */
  observe(observer: SimLook, view: SimView): T[];
  /** A device's: what has what it needs, besides its names. */
  inTheWay?(actor: Actor, object: T): SimDevice | undefined;
}

/** A namespace in question. Without `links` everything in it is. */
export interface SimView {
  readonly netns: SimNetns;
  readonly name: Netns;
  readonly links: ReadonlySet<string> | undefined;
}

export interface SimLook {
  readonly mark: OwnerMark;
  readonly pins: string;
  /** The name of any namespace: that of its view, if it has one. */
  nameOf(netns: SimNetns): Netns;
  /** The devices that were told already, by this end or by the other. */
  readonly told: Set<SimDevice>;
}

/** The devices of the view that are there. */
export function devicesOf({ netns, links }: SimView): SimDevice[] {
  return [...netns.devices.values()].filter(({ isDoomed, name }) => !isDoomed && (!links || links.has(name)));
}

/** Those of ours that nobody has told yet, of one kind. */
export function untold(observer: SimLook, view: SimView, kind: SimDevice["kind"]): SimDevice[] {
  return devicesOf(view).filter((device) => {
    const isNews = device.kind === kind && device.group === observer.mark.group && !observer.told.has(device);
    if (isNews) for (const each of device.peer ? [device, device.peer] : [device]) observer.told.add(each);
    return isNews;
  });
}
