/** The devices that a batch deals with: found by name, or made by the batch itself, with indexes of our own choice. */
import { randomInt } from "node:crypto";
import * as k from "../netlink/constants.ts";
import { decodeLink, type Link } from "../netlink/link-decode.ts";
import { getLink } from "../netlink/link.ts";
import type { NetnsPlace } from "../namespaces/place.ts";

/** Indexes below belong to the kernel, which counts from 1. */
const FIRST_INDEX = 2 ** 24;
const LAST_INDEX = 2 ** 31 - 2;

/**
 * The kernel looks devices up in 256 chains, by the low byte of their index (`dev_index_hash`). Uplinks, which it has counted
 * itself, are in the first ones: those are left to them and to devices that each packet asks for, so that thousands of others do
 * not stand before them.
 */
const CHAINS = 256;
const SHORT_CHAINS = 32;

let lastIndex = randomInt(FIRST_INDEX, LAST_INDEX);

/**
 * An index for a new device that no device of this process had before, in any namespace: so an index alone tells our
 * devices apart. It may be taken by somebody else's. `isBusy`: most packets of the host ask for the device.
 */
export function nextIndex({ isBusy = false } = {}): number {
  do lastIndex = lastIndex === LAST_INDEX ? FIRST_INDEX : lastIndex + 1;
  while (lastIndex % CHAINS < SHORT_CHAINS !== isBusy);
  return lastIndex;
}

export function isDeviceName(name: string): boolean {
  return /^[^\s/:]+$/.test(name) && name !== "." && name !== ".." && Buffer.byteLength(name) < k.IFNAMSIZ;
}

/** Asks the kernel for a device. `undefined` if there is none with this name or index. */
export function lookUp(place: NetnsPlace, link: string | number): Link | undefined {
  if (typeof link === "string" && !isDeviceName(link)) return undefined;
  return place.socket.get(getLink(link), decodeLink, ["ENODEV"]);
}

/** Remembers for one batch what was looked up or made. */
export class Links {
  readonly #doomedGroup: number;
  readonly #known = new Map<NetnsPlace, Map<string, Link>>();
  readonly #made = new Set<number>();

  constructor(doomedGroup: number) {
    this.#doomedGroup = doomedGroup;
  }

  /** `undefined` also for a device that is being deleted. */
  find(place: NetnsPlace, name: string): Link | undefined {
    const known = this.#known.get(place)?.get(name);
    if (known) return known;
    const link = lookUp(place, name);
    if (!link || link.group === this.#doomedGroup) return undefined;
    this.put(place, link);
    return link;
  }

  /** Notes a device that this batch has made. */
  made(place: NetnsPlace, link: Link): void {
    this.put(place, link);
    this.#made.add(link.index);
  }

  /** True if this batch has made the device: its undo removes it, with all that it has. */
  wasMade(link: Link): boolean {
    return this.#made.has(link.index);
  }

  /** Notes what becomes of a device in this batch. */
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
