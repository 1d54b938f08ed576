/** The devices of a batch: looked up by name, or made by the batch itself with an index that Netloom chooses. */
import { randomInt } from "node:crypto";
import * as k from "../netlink/constants.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { getLink } from "../netlink/link.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/** Lower indexes belong to the kernel, which counts from 1. */
const FIRST_INDEX = 2 ** 24;
const LAST_INDEX = 2 ** 31 - 2;

/**
 * The kernel looks devices up in 256 hash chains, by the low byte of their index (`dev_index_hash`). Uplinks have indexes
 * that the kernel has counted, so they are in the first chains. Netloom puts only busy devices there, so that a lookup of
 * an uplink does not pass thousands of other devices.
 */
const CHAINS = 256;
const SHORT_CHAINS = 32;

let lastIndex = randomInt(FIRST_INDEX, LAST_INDEX);

/**
 * An index for a new device that no device of this process has had, in any namespace, so that the index alone identifies a
 * device of Netloom. A foreign device may have the same index. `isBusy`: most packets of the host look this device up.
 */
export function nextIndex({ isBusy = false } = {}): number {
  do lastIndex = lastIndex === LAST_INDEX ? FIRST_INDEX : lastIndex + 1;
  while (lastIndex % CHAINS < SHORT_CHAINS !== isBusy);
  return lastIndex;
}

export function isDeviceName(name: string): boolean {
  return /^[^\s/:]+$/.test(name) && name !== "." && name !== ".." && Buffer.byteLength(name) < k.IFNAMSIZ;
}

/** Asks the kernel for a device. `undefined` if no device has this name or index. */
export function lookUp(place: NetnsPlace, link: string | number): Link | undefined {
  if (typeof link === "string" && !isDeviceName(link)) return undefined;
  return place.socket.get(getLink(link), decodeLink, ["ENODEV"]);
}

/** Caches the devices that a batch has looked up or made. */
export class Links {
  readonly #doomedGroup: number;
  readonly #known = new Map<NetnsPlace, Map<string, Link>>();
  readonly #made = new Set<number>();

  constructor(doomedGroup: number) {
    this.#doomedGroup = doomedGroup;
  }

  /** `undefined` also for a device under deletion. */
  find(place: NetnsPlace, name: string): Link | undefined {
    const known = this.#known.get(place)?.get(name);
    if (known) return known;
    const link = lookUp(place, name);
    if (!link || link.group === this.#doomedGroup) return undefined;
    this.put(place, link);
    return link;
  }

  /** Records a device that this batch has made. */
  made(place: NetnsPlace, link: Link): void {
    this.put(place, link);
    this.#made.add(link.index);
  }

  /** True if this batch has made the device: the undo removes it with everything on it. */
  wasMade(link: Link): boolean {
    return this.#made.has(link.index);
  }

  /** Records a new name of a device. */
  rename(place: NetnsPlace, from: Link, to: Link): void {
    this.#known.get(place)?.delete(from.name);
    this.put(place, to);
  }

  put(place: NetnsPlace, link: Link): void {
    const links = this.#known.get(place) ?? new Map<string, Link>();
    links.set(link.name, link);
    this.#known.set(place, links);
  }
}
