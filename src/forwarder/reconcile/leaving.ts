/** Sorts what an owner gives up from what it keeps. */
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import {
  attractionsOf,
  identityOf,
  isAttached,
  isDevice,
  isMarked,
  linkKeys,
  linksOf,
} from "../../kernel/objects.ts";

/** What goes with its device is not removed by itself, unless it attracts packets. Devices go last. */
export function removals(objects: readonly KernelObject[]): Operation[] {
  const devices = objects.filter(isDevice);
  const links = new Set(devices.flatMap(linkKeys));
  const attached = objects
    .filter(isAttached)
    .filter(isMarked)
    .filter((object) => attractionsOf(object).length > 0 || !linksOf(object).some((link) => links.has(link)));
  return [...attached.toReversed(), ...devices.toReversed()].map((object) => ({ verb: "remove", object }));
}

/** The objects of `held` that are also wanted, and on a device that is. */
export function whatStays(
  held: readonly KernelObject[],
  wanted: readonly KernelObject[],
): readonly KernelObject[] {
  const identities = new Set(wanted.map(identityOf));
  const staying = held.filter((object) => identities.has(identityOf(object)));
  const links = new Set(staying.filter(isDevice).flatMap(linkKeys));
  return staying.filter((object) => {
    if (isDevice(object)) return true;
    const [carrier] = linksOf(object);
    return carrier === undefined ? links.size > 0 : links.has(carrier);
  });
}
