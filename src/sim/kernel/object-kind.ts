/**
 * The behaviour of one kind of kernel object on the simulated machine, with the checks of Linux. A kind is a file in
 * objects/ and a line in the list of objects.ts.
 */
import type { Netns, OwnerMark } from "../../kernel/kernel.ts";
import type { Actor, Undo } from "./links.ts";
import type { SimDevice, SimNetns } from "./state.ts";

export interface SimObjectKind<T> {
  /** Throws `Refused` without changing anything. */
  add(actor: Actor, object: T): Undo;
  /** Changes the object in place. Default: removes the old object and adds the new one, or changes nothing. */
  change?(actor: Actor, object: T, from: T): Undo;
  /** `undefined` if there was nothing to remove. A removed device still has to be buried. */
  remove(actor: Actor, object: T): Undo | undefined;
  /** The objects with the observer's mark. */
  observe(observer: SimLook, view: SimView): T[];
  /** For a device: the device that blocks it by more than its name, for example by the VNI. */
  inTheWay?(actor: Actor, object: T): SimDevice | undefined;
}

/** An observed namespace: all of it, or only these `links`. */
export interface SimView {
  readonly netns: SimNetns;
  readonly name: Netns;
  readonly links: ReadonlySet<string> | undefined;
}

export interface SimLook {
  readonly mark: OwnerMark;
  readonly pins: string;
  /** The name of a namespace: that of its view, if it has one. */
  nameOf(netns: SimNetns): Netns;
  /** Devices already reported, by either end. */
  readonly told: Set<SimDevice>;
}

/** The existing devices of the view. */
export function devicesOf({ netns, links }: SimView): SimDevice[] {
  return [...netns.devices.values()].filter(({ isDoomed, name }) => !isDoomed && (!links || links.has(name)));
}

/** The devices of one kind with the observer's mark that are not reported yet. Marks them as reported. */
export function untold(observer: SimLook, view: SimView, kind: SimDevice["kind"]): SimDevice[] {
  return devicesOf(view).filter((device) => {
    const isNews = device.kind === kind && device.group === observer.mark.group && !observer.told.has(device);
    if (isNews) for (const each of device.peer ? [device, device.peer] : [device]) observer.told.add(each);
    return isNews;
  });
}
