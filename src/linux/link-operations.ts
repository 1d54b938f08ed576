/** Makes, changes and dooms devices. */
import { setTimeout as delay } from "node:timers/promises";
import { IPV6_MIN_MTU, linkLocalAddress } from "../net/link-local.ts";
import type { KernelError, LinkEnd, OwnerMark, Vxlan } from "../kernel/kernel.ts";
import { type Device, endsOf } from "../kernel/objects.ts";
import { existingDevice, existingVni, reasonOf } from "./explain.ts";
import { addrGenModeOf, hasIpv6 } from "./ipv6.ts";
import { isDeviceName, type Links, lookUp, nextIndex } from "./links.ts";
import { deleteAddress, newAddress } from "./netlink/address.ts";
import * as k from "./netlink/constants.ts";
import type { Link } from "./netlink/link-decode.ts";
import { changeLink, changeVxlan, type LinkChange, newVeth, newVxlan } from "./netlink/link.ts";
import type { Ack } from "./netlink/message-reader.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import type { Place, Places } from "./place.ts";
import { doomedGroup, type Reaper } from "./reaper.ts";
import { type Job, refuse } from "./refuse.ts";
import { errnoName } from "./syscall.ts";
import type { Step, Transaction } from "./transaction.ts";
import { hasFarEnd } from "./veth-peer.ts";

/** So often another index is tried when the one chosen turns out to be somebody else's. */
const INDEX_ATTEMPTS = 8;
const DYING_PAUSE_MS = 3;

export interface LinkContext {
  readonly places: Places;
  readonly links: Links;
  readonly transaction: Transaction;
  readonly reaper: Reaper;
  readonly mark: OwnerMark;
  /** Takes off what is pinned for a device that is gone. */
  readonly forgetPrograms: (place: Place, linkIndex: number) => void;
  /** True after a pause if a namespace died of late whose devices may still be about to go. */
  readonly awaitTheDying: () => Promise<boolean>;
}

interface PlacedEnd {
  readonly end: LinkEnd;
  readonly place: Place;
}

export class LinkOperations {
  readonly #context: LinkContext;

  constructor(context: LinkContext) {
    this.#context = context;
  }

  /** Makes the device in force at once, and queues what can only be said in a second message. */
  async add(job: Job, device: Device): Promise<void> {
    const { links, transaction, mark } = this.#context;
    const ends = this.#placed(device);
    for (const { end } of ends) {
      if (!isDeviceName(end.name)) {
        const isLong = Buffer.byteLength(end.name) >= k.IFNAMSIZ;
        throw refuse(
          job,
          isLong ? "ERANGE" : "EINVAL",
          isLong ? `the name ${end.name} is over 15 bytes long` : `${end.name} is no name for a device`,
        );
      }
    }
    const indexes = await this.#create(job, device, ends);
    transaction.onRollBack(() =>
      this.#doom(
        ends.map(({ place }, i) => ({ place, index: indexes[i] ?? 0 })),
        device,
      )(),
    );
    for (const [i, { end, place }] of ends.entries()) {
      const index = indexes[i] ?? 0;
      const peer = device.kind === "veth" ? { lowerIndex: indexes[1 - i] ?? 0 } : {};
      links.made(place, {
        index,
        name: end.name,
        mac: end.mac,
        mtuBytes: end.mtuBytes,
        alias: end.alias,
        flags: 0,
        group: mark.group,
        kind: device.kind,
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

  /** Brings MAC, MTU, alias and a tunnel's addresses to what `to` says. */
  change(job: Job, to: Device, from: Device): void {
    const { transaction } = this.#context;
    const before = endsOf(from);
    if (to.kind === "vxlan" && from.kind === "vxlan") this.#retarget(job, to, from);
    for (const [i, placed] of this.#placed(to).entries()) {
      const old = before[i];
      const link = this.#mustFind(job, placed.place, placed.end.name);
      if (!old) continue;
      const change = this.#difference(placed.end, old);
      this.#context.links.put(placed.place, { ...link, alias: placed.end.alias });
      if (change)
        transaction.enqueue(placed.place, {
          operation: job.number,
          request: changeLink(link.index, change.forth),
          undo: changeLink(link.index, change.back),
        });
      for (const step of linkLocalSteps(link, placed.end, old))
        transaction.enqueue(placed.place, { operation: job.number, ...step });
    }
  }

  /** Puts the device into the doomed group. The reaper gets it when the batch has succeeded: until then it can come back. */
  remove(job: Job, device: Device): void {
    const { transaction, mark } = this.#context;
    const found = this.#ours(device);
    for (const { place, index } of found)
      transaction.enqueue(place, {
        operation: job.number,
        request: changeLink(index, { group: doomedGroup(mark.group) }),
        undo: changeLink(index, { group: mark.group }),
        absent: ["ENODEV"],
      });
    transaction.onCommit(() => this.#reap(found, device));
  }

  /**
   * The ends of a device that are there, ours and of the same owner: a name may be another's by now. Two ends of two pairs
   * are no device. An end that its workload has renamed is found by the other one.
   */
  #ours(device: Device): { place: Place; index: number }[] {
    const { places, links, mark } = this.#context;
    const ends = endsOf(device);
    const found = ends.flatMap((end) => {
      const place = places.find(end.netns);
      const link = place && links.find(place, end.name);
      const isOurs = link?.group === mark.group && link.kind === device.kind;
      return isOurs && (link.alias ?? "") === end.alias
        ? [{ place: place as Place, index: link.index, lowerIndex: link.lowerIndex }]
        : [];
    });
    const [a, b] = found;
    if (!a || device.kind !== "veth") return found;
    if (b) return a.lowerIndex === b.index ? found : [];
    for (const end of ends) {
      const place = places.find(end.netns);
      const far = place && lookUp(place, a.lowerIndex ?? 0);
      if (far?.lowerIndex === a.index) return [a, { place: place as Place, index: far.index }];
    }
    return found;
  }

  #doom(ends: readonly { place: Place; index: number }[], device: Device): () => void {
    return () => {
      for (const { place, index } of ends)
        place.socket.change(changeLink(index, { group: doomedGroup(this.#context.mark.group) }));
      this.#reap(ends, device);
    };
  }

  /** One end takes the other with it: the end in `host` if there is one, so that many share a group. */
  #reap(ends: readonly { place: Place; index: number }[], device: Device): void {
    const { places, reaper, mark, forgetPrograms } = this.#context;
    const host = places.of("host");
    const end = ends.find(({ place }) => place === host) ?? ends[0];
    if (!end) return;
    const touched = new Set(ends.map(({ place }) => place.identity));
    if (device.kind === "vxlan") touched.add(host.identity);
    const pins = ends.map(({ place, index }) => ({ place, index }));
    reaper.add(
      {
        netns: end.place.identity,
        group: doomedGroup(mark.group),
        touches: [...touched],
        afterwards: () => {
          for (const { place, index } of pins) forgetPrograms(place, index);
        },
      },
      () => end.place.run(() => NetlinkSocket.open()),
    );
  }

  async #create(job: Job, device: Device, ends: readonly PlacedEnd[]): Promise<number[]> {
    const { transaction, reaper, places, awaitTheDying } = this.#context;
    await transaction.flush();
    const host = places.of("host");
    const sender = device.kind === "vxlan" ? host : (ends[0]?.place ?? host);
    const concerned = [
      ...ends.map(({ place }) => place.identity),
      ...(device.kind === "vxlan" ? [host.identity] : []),
    ];
    for (let attempt = 1; ; attempt++) {
      const indexes = ends.map(() => nextIndex());
      const ack = sender.socket.change(this.#request(device, ends, indexes, sender));
      if (ack.errno === 0) return indexes;
      if (errnoName(ack.errno) === "EEXIST" && attempt < INDEX_ATTEMPTS) {
        if (await reaper.waitFor(concerned)) continue;
        if ((await this.#waitForDying(ends)) || (await awaitTheDying())) {
          attempt--;
          continue;
        }
        if (ack.message === undefined && !this.#inTheWay(ends)) continue;
      }
      throw this.#createRefusal(job, device, ends, ack);
    }
  }

  /** True after a pause if a veth of ours is in the way whose other end went with its namespace: it goes, too. */
  async #waitForDying(ends: readonly PlacedEnd[]): Promise<boolean> {
    const isDying = ends.some(({ end, place }) => {
      const link = lookUp(place, end.name);
      const isOurs = link?.kind === "veth" && link.group === this.#context.mark.group;
      return isOurs && !hasFarEnd(place, link);
    });
    if (isDying) await delay(DYING_PAUSE_MS);
    return isDying;
  }

  #request(
    device: Device,
    ends: readonly PlacedEnd[],
    indexes: readonly number[],
    sender: Place,
  ): Uint8Array {
    const [a, b] = ends.map(({ end: { name, mac, mtuBytes }, place }, i) => ({
      name,
      mac,
      mtuBytes,
      index: indexes[i] ?? 0,
      group: this.#context.mark.group,
      ...(place !== sender && { netnsFd: place.fd }),
    }));
    if (!a) throw new TypeError("a device without ends");
    if (device.kind === "vxlan") return newVxlan(a, device);
    if (!b) throw new TypeError("a veth pair with one end");
    return newVeth(a, b);
  }

  #inTheWay(ends: readonly PlacedEnd[]): string | undefined {
    for (const { end, place } of ends) {
      const link = lookUp(place, end.name);
      if (link) return existingDevice(link, this.#context.mark);
    }
    const [a, b] = ends;
    if (a && b && a.place === b.place && a.end.name === b.end.name)
      return `both ends are called ${a.end.name}`;
    return undefined;
  }

  #createRefusal(job: Job, device: Device, ends: readonly PlacedEnd[], ack: Ack): KernelError {
    const errno = errnoName(ack.errno);
    const { places, mark } = this.#context;
    if (errno === "EEXIST") {
      const vni =
        device.kind === "vxlan"
          ? existingVni(device, [places.of("host"), ...ends.map(({ place }) => place)], mark)
          : undefined;
      const reason = this.#inTheWay(ends) ?? vni ?? ack.message ?? "no free index was found";
      return refuse(job, errno, reason);
    }
    return refuse(job, errno, reasonOf(errno, ack, device));
  }

  #retarget(job: Job, to: Vxlan, from: Vxlan): void {
    if (to.vni !== from.vni || to.port !== from.port || to.local.includes(":") !== from.local.includes(":"))
      throw refuse(job, "EOPNOTSUPP", {
        reason: "a tunnel cannot change its VNI, its port or its address family",
        hint: "remove it, then add it",
      });
    if (to.local === from.local && to.remote === from.remote) return;
    const place = this.#context.places.of(to.netns);
    const { index } = this.#mustFind(job, place, to.name);
    this.#context.transaction.enqueue(place, {
      operation: job.number,
      request: changeVxlan(index, to),
      undo: changeVxlan(index, from),
    });
  }

  #difference(end: LinkEnd, old: LinkEnd): { forth: LinkChange; back: LinkChange } | undefined {
    const forth: Record<string, unknown> = {};
    const back: Record<string, unknown> = {};
    for (const key of ["mac", "mtuBytes", "alias"] as const) {
      if (end[key] === old[key]) continue;
      forth[key] = end[key];
      back[key] = old[key];
    }
    return Object.keys(forth).length === 0 ? undefined : { forth, back };
  }

  #mustFind(job: Job, place: Place, name: string): Link {
    const link = this.#context.links.find(place, name);
    if (link) return link;
    throw refuse(job, "ENODEV", `there is no device ${name}`);
  }

  #placed(device: Device): PlacedEnd[] {
    return endsOf(device).map((end) => ({ end, place: this.#context.places.of(end.netns) }));
  }
}

/**
 * The kernel makes the link-local address when a device is set up. On one that is up already it has to come, and go, by
 * itself. A device that grows beyond the smallest MTU of IPv6 has all of IPv6 anew.
 */
function linkLocalSteps(link: Link, end: LinkEnd, old: LinkEnd): Omit<Step, "operation">[] {
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
  const steps: Omit<Step, "operation">[] = [{ request: mode(end), ...(!isNew && { undo: mode(old) }) }];
  if ((link.flags & k.IFF_UP) === 0) return steps;
  const [coming, leaving] = [address(end), address(old)];
  if (old.linkLocal)
    steps.push({
      request: deleteAddress(leaving),
      undo: newAddress(leaving),
      absent: ["EADDRNOTAVAIL", "ENODEV", "ENXIO"],
    });
  // EACCES: somebody has switched IPv6 off on it.
  if (end.linkLocal)
    steps.push({
      request: newAddress(coming),
      undo: deleteAddress(coming),
      absent: ["EEXIST", "EACCES"],
    });
  return steps;
}
