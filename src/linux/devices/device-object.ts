/** A kind of device: adds, changes and dooms it. */
import { setTimeout as delay } from "node:timers/promises";
import type { LinkEnd } from "../../kernel/kernel.ts";
import { type Device, endsOf, infoKindOf, namespacesOf } from "../../kernel/objects.ts";
import { IPV6_MIN_MTU, linkLocalAddress } from "../../net/link-local.ts";
import { existingDevice } from "./holders.ts";
import { addrGenModeOf, hasIpv6 } from "./ipv6.ts";
import { isDeviceName, lookUp, nextIndex } from "../batch/links.ts";
import { deleteAddress, newAddress } from "../netlink/address.ts";
import * as k from "../netlink/constants.ts";
import type { Link } from "../netlink/link-decode.ts";
import { changeLink, type LinkChange, type NewLink } from "../netlink/link.ts";
import type { Ack } from "../netlink/message-reader.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import type { BatchTools, LinuxObjectKind } from "../object-kind.ts";
import type { NetnsPlace } from "../namespaces/place.ts";
import { doomedGroup } from "../batch/reaper.ts";
import { type Explanation, type Job, refuseStep } from "../batch/refuse.ts";
import { errnoName } from "../libc/syscall.ts";
import { type BatchStep, NetlinkRefused } from "../batch/transaction.ts";
import { hasFarEnd, isOurPair } from "./veth-peer.ts";

/** The number of attempts when the chosen index belongs to another device. */
const INDEX_ATTEMPTS = 8;
const DYING_PAUSE_MS = 3;

interface DeviceWays<T> extends Pick<LinuxObjectKind<T>, "observe" | "explain"> {
  /** The message that creates the device. */
  readonly create: (device: T, ends: readonly NewLink[]) => Uint8Array;
  /** The namespace of the socket for that message. Default: that of the first end. */
  readonly madeIn?: "host";
  /** Most packets of the host look the device up. */
  readonly isBusy?: true;
  /** Changes properties other than those of the ends. */
  readonly change?: (tools: BatchTools, job: Job, change: Changed<T>) => void;
  /** The reason why the device cannot be made although its names are free. */
  readonly inTheWay?: (tools: BatchTools, device: T) => string;
}

interface Changed<T> {
  /** The place of the first end. */
  readonly place: NetnsPlace;
  readonly link: Link;
  readonly to: T;
  readonly from: T;
}

interface PlacedEnd {
  readonly end: LinkEnd;
  readonly place: NetnsPlace;
}

type Indexed = readonly { readonly place: NetnsPlace; readonly index: number }[];

export function deviceObject<T extends Device>(ways: DeviceWays<T>): LinuxObjectKind<T> {
  return {
    observe: ways.observe,
    ...(ways.explain && { explain: ways.explain }),
    add: (tools, job, device) => add(tools, job, device, ways),
    change: (tools, job, to, from) => change(tools, job, { to, from }, ways),
    remove,
  };
}

/** Creates the device at once, and queues the properties that need a second message. */
async function add<T extends Device>(
  tools: BatchTools,
  job: Job,
  device: T,
  ways: DeviceWays<T>,
): Promise<void> {
  const { links, transaction, mark } = tools;
  const ends = placed(tools, device);
  for (const { end } of ends) demandName(job, end.name);
  const indexes = await create(tools, job, device, { ends, ways });
  const made = ends.map(({ place }, i) => ({ place, index: indexes[i] ?? 0 }));
  transaction.onRollBack(() => {
    for (const { place, index } of made)
      place.socket.change(changeLink(index, { group: doomedGroup(mark.group) }));
    reap(tools, made, device);
  });
  for (const [i, { end, place }] of ends.entries()) {
    const index = indexes[i] ?? 0;
    const peer = ends.length > 1 ? { lowerIndex: indexes[1 - i] ?? 0 } : {};
    links.made(place, {
      index,
      name: end.name,
      mac: end.mac,
      mtuBytes: end.mtuBytes,
      alias: end.alias,
      flags: 0,
      group: mark.group,
      kind: infoKindOf(device),
      addrGenMode: addrGenModeOf(end),
      ...peer,
    });
    transaction.enqueue(place, {
      operation: job.number,
      request: changeLink(index, {
        alias: end.alias,
        ...(end.mtuBytes >= IPV6_MIN_MTU && hasIpv6() && { addrGenMode: addrGenModeOf(end) }),
      }),
    });
  }
}

function demandName(job: Job, name: string): void {
  if (isDeviceName(name)) return;
  const isLong = Buffer.byteLength(name) >= k.IFNAMSIZ;
  throw isLong
    ? refuseStep(job, "ERANGE", `the name ${name} is over 15 bytes long`)
    : refuseStep(job, "EINVAL", `${name} is not a device name`);
}

/** Changes name, MAC, MTU, alias and the properties of the kind to those of `to`. */
function change<T extends Device>(
  tools: BatchTools,
  job: Job,
  { to, from }: { readonly to: T; readonly from: T },
  ways: DeviceWays<T>,
): void {
  const before = endsOf(from);
  for (const [i, { end, place }] of placed(tools, to).entries()) {
    const old = before[i] ?? end;
    const link = tools.links.find(place, old.name);
    if (!link) throw refuseStep(job, "ENODEV", `there is no device ${old.name}`);
    if (i === 0) ways.change?.(tools, job, { place, link, to, from });
    tools.links.rename(place, link, { ...link, name: end.name, alias: end.alias });
    const difference = differenceOf(end, old);
    if (difference)
      tools.transaction.enqueue(place, {
        operation: job.number,
        request: changeLink(link.index, difference.forth),
        undo: changeLink(link.index, difference.back),
      });
    for (const step of linkLocalSteps(link, end, old))
      tools.transaction.enqueue(place, { operation: job.number, ...step });
  }
}

/**
 * Moves the device into the doomed group. The reaper gets it when the batch has succeeded: until then the undo can restore
 * it.
 */
function remove(tools: BatchTools, job: Job, device: Device): void {
  const { transaction, mark } = tools;
  const found = ours(tools, device);
  for (const { place, index } of found)
    transaction.enqueue(place, {
      operation: job.number,
      request: changeLink(index, { group: doomedGroup(mark.group) }),
      undo: changeLink(index, { group: mark.group }),
      absent: ["ENODEV"],
    });
  transaction.onCommit(() => reap(tools, found, device));
}

/**
 * The existing ends of a device that have the owner mark and the same owner, because the name may belong to another owner
 * now. The ends of two different pairs are no device. An end that its workload has renamed is found by the other end.
 */
function ours({ places, links, mark }: BatchTools, device: Device): Indexed {
  const ends = endsOf(device);
  const found = ends.flatMap((end) => {
    const place = places.find(end.netns);
    const link = place && links.find(place, end.name);
    const isOurs = link?.group === mark.group && link.kind === infoKindOf(device);
    return isOurs && (link.alias ?? "") === end.alias
      ? [{ place: place as NetnsPlace, index: link.index, lowerIndex: link.lowerIndex }]
      : [];
  });
  const [a, b] = found;
  if (!a || ends.length === 1) return found;
  if (b) return a.lowerIndex === b.index ? found : [];
  for (const end of ends) {
    const place = places.find(end.netns);
    const far = place && lookUp(place, a.lowerIndex ?? 0);
    if (far?.lowerIndex === a.index) return [a, { place: place as NetnsPlace, index: far.index }];
  }
  return found;
}

/** Dooms one end, which takes the other with it: the end in `host` if there is one, so that many devices share a group. */
function reap(tools: BatchTools, ends: Indexed, device: Device): void {
  const { places, reaper, mark, forgetPrograms } = tools;
  const host = places.of("host");
  const end = ends.find(({ place }) => place === host) ?? ends[0];
  if (!end) return;
  const touched = [...ends.map(({ place }) => place), ...concerned(tools, device)];
  reaper.add(
    {
      netns: end.place.identity,
      group: doomedGroup(mark.group),
      touches: [...new Set(touched.map(({ identity }) => identity))],
      afterwards: () => {
        for (const { place, index } of ends) forgetPrograms(place, index);
      },
    },
    () => end.place.run(() => NetlinkSocket.open()),
  );
}

/** The existing namespaces of a device. */
function concerned({ places }: BatchTools, device: Device): NetnsPlace[] {
  return namespacesOf(device).flatMap((netns) => places.find(netns) ?? []);
}

interface Making<T> {
  readonly ends: readonly PlacedEnd[];
  readonly ways: DeviceWays<T>;
}

/** Creates the device and returns the indexes of its ends. */
async function create<T extends Device>(
  tools: BatchTools,
  job: Job,
  device: T,
  making: Making<T>,
): Promise<number[]> {
  const { transaction, reaper, places, awaitTheDying } = tools;
  const { ends, ways } = making;
  await transaction.flush();
  const host = places.of("host");
  const sender = ways.madeIn === "host" ? host : (ends[0]?.place ?? host);
  const identities = concerned(tools, device).map(({ identity }) => identity);
  for (let attempt = 1; ; attempt++) {
    const indexes = ends.map(() => nextIndex(ways));
    const ack = sender.socket.change(ways.create(device, newLinks(tools, ends, { indexes, sender })));
    if (ack.errno === 0) return indexes;
    if (errnoName(ack.errno) === "EEXIST" && attempt < INDEX_ATTEMPTS) {
      if (await reaper.waitFor(identities)) continue;
      if ((await waitForDying(tools, ends)) || (await awaitTheDying())) {
        attempt--;
        continue;
      }
      if (ack.message === undefined && !nameInTheWay(tools, ends)) continue;
    }
    throw refusalOf(tools, job, { device, ack, ...making });
  }
}

function newLinks(
  { mark }: BatchTools,
  ends: readonly PlacedEnd[],
  { indexes, sender }: { readonly indexes: readonly number[]; readonly sender: NetnsPlace },
): NewLink[] {
  return ends.map(({ end: { name, mac, mtuBytes }, place }, i) => ({
    name,
    mac,
    mtuBytes,
    index: indexes[i] ?? 0,
    group: mark.group,
    ...(place !== sender && { netnsFd: place.fd }),
  }));
}

/**
 * True after a pause if a pair with the owner mark is in the way whose other end vanished with its namespace: it will
 * vanish soon.
 */
async function waitForDying({ mark }: BatchTools, ends: readonly PlacedEnd[]): Promise<boolean> {
  const isDying = ends.some(({ end, place }) => {
    const link = lookUp(place, end.name);
    return link && isOurPair(mark, link) && !hasFarEnd(place, link);
  });
  if (isDying) await delay(DYING_PAUSE_MS);
  return isDying;
}

function nameInTheWay({ mark }: BatchTools, ends: readonly PlacedEnd[]): Explanation | undefined {
  for (const { end, place } of ends) {
    const link = lookUp(place, end.name);
    if (link) return { reason: existingDevice(link, mark), at: { netns: end.netns, link: end.name } };
  }
  const [a, b] = ends;
  if (a && b && a.place === b.place && a.end.name === b.end.name)
    return { reason: `both ends are called ${a.end.name}` };
  return undefined;
}

function refusalOf<T extends Device>(
  tools: BatchTools,
  job: Job,
  { device, ack, ends, ways }: Making<T> & { readonly device: T; readonly ack: Ack },
): Error {
  if (errnoName(ack.errno) !== "EEXIST") return new NetlinkRefused(job.number, ack);
  const holder = nameInTheWay(tools, ends) ?? ways.inTheWay?.(tools, device);
  return refuseStep(job, "EEXIST", holder ?? ack.message ?? "no free index was found");
}

function differenceOf(end: LinkEnd, old: LinkEnd): { forth: LinkChange; back: LinkChange } | undefined {
  const forth: Record<string, unknown> = {};
  const back: Record<string, unknown> = {};
  for (const key of ["name", "mac", "mtuBytes", "alias"] as const) {
    if (end[key] === old[key]) continue;
    forth[key] = end[key];
    back[key] = old[key];
  }
  return Object.keys(forth).length === 0 ? undefined : { forth, back };
}

function placed({ places }: BatchTools, device: Device): PlacedEnd[] {
  return endsOf(device).map((end) => ({ end, place: places.of(end.netns) }));
}

/**
 * The kernel makes the link-local address when a device is set up. On a device that is already up, Netloom adds and removes
 * it. A device that grows beyond the smallest MTU of IPv6 gets all of its IPv6 anew.
 */
function linkLocalSteps(link: Link, end: LinkEnd, old: LinkEnd): Omit<BatchStep, "operation">[] {
  if (end.mtuBytes < IPV6_MIN_MTU || !hasIpv6()) return [];
  const isNew = old.mtuBytes < IPV6_MIN_MTU;
  const mode = (of: LinkEnd): Uint8Array => changeLink(link.index, { addrGenMode: addrGenModeOf(of) });
  const address = (of: LinkEnd): Parameters<typeof newAddress>[0] => ({
    linkIndex: link.index,
    address: `${linkLocalAddress(of.mac)}/64`,
    protocol: k.IFAPROT_KERNEL_LL,
  });
  const isOther = isNew || end.mac !== old.mac || end.linkLocal !== old.linkLocal;
  if (!isOther) return [];
  const steps: Omit<BatchStep, "operation">[] = [{ request: mode(end), ...(!isNew && { undo: mode(old) }) }];
  if ((link.flags & k.IFF_UP) === 0) return steps;
  const [coming, leaving] = [address(end), address(old)];
  if (old.linkLocal)
    steps.push({
      request: deleteAddress(leaving),
      undo: newAddress(leaving),
      absent: ["EADDRNOTAVAIL", "ENODEV", "ENXIO"],
    });
  // EACCES: IPv6 is disabled on the device.
  if (end.linkLocal)
    steps.push({
      request: newAddress(coming),
      undo: deleteAddress(coming),
      absent: ["EEXIST", "EACCES"],
    });
  return steps;
}
