/** Makes, changes and dooms devices. */
import {
  type Bridge,
  KernelError,
  type LinkEnd,
  type Operation,
  type Veth,
  type Vxlan,
} from "../world/kernel.ts";
import { codeOfErrno, refusal } from "../world/kernel-text.ts";
import { existingDevice, existingVni, reasonOf } from "./explain.ts";
import { isDeviceName, type Links, lookUp, nextIndex } from "./links.ts";
import type { OwnerMark } from "./messages.ts";
import * as k from "./netlink/constants.ts";
import type { Link } from "./netlink/link-decode.ts";
import { changeLink, changeVxlan, type LinkChange, newBridge, newVeth, newVxlan } from "./netlink/link.ts";
import type { Ack } from "./netlink/message-reader.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import type { Place, Places } from "./place.ts";
import { doomedGroup, type Reaper } from "./reaper.ts";
import { errnoName } from "./syscall.ts";
import type { Transaction } from "./transaction.ts";

export type Device = Veth | Vxlan | Bridge;

/** So often another index is tried when the one chosen turns out to be somebody else's. */
const INDEX_ATTEMPTS = 8;
/** IPv6 is not on a device with a smaller MTU (RFC 8200 section 5). */
const IPV6_MIN_MTU = 1280;

export interface LinkContext {
  readonly places: Places;
  readonly links: Links;
  readonly transaction: Transaction;
  readonly reaper: Reaper;
  readonly mark: OwnerMark;
  /** Takes off what is pinned for a device that is gone. */
  readonly forgetPrograms: (place: Place, linkIndex: number) => void;
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
  async add(number: number, operation: Operation, device: Device): Promise<void> {
    const { links, transaction, mark } = this.#context;
    const ends = this.#placed(device);
    const masters = ends.map((placed) => this.#masterOf(number, operation, placed));
    for (const { end } of ends) {
      if (!isDeviceName(end.name)) {
        const isLong = Buffer.byteLength(end.name) >= k.IFNAMSIZ;
        throw refusal(
          operation,
          isLong ? "ERANGE" : "EINVAL",
          isLong ? `the name ${end.name} is over 15 bytes long` : `${end.name} is no name for a device`,
          { operation: number },
        );
      }
    }
    const indexes = await this.#create(number, operation, device, ends);
    transaction.onRollBack(() =>
      this.#doom(
        ends.map(({ place }, i) => ({ place, index: indexes[i] ?? 0 })),
        device,
      )(),
    );
    for (const [i, { end, place }] of ends.entries()) {
      const index = indexes[i] ?? 0;
      const peer = device.kind === "veth" ? { lowerIndex: indexes[1 - i] ?? 0 } : {};
      links.put(place, {
        index,
        name: end.name,
        mac: end.mac,
        mtuBytes: end.mtuBytes,
        flags: 0,
        group: mark.group,
        kind: device.kind,
        ...peer,
      });
      const master = masters[i];
      transaction.enqueue(place, {
        operation: number,
        request: changeLink(index, {
          alias: end.alias,
          ...(master !== undefined && { master }),
          ...(end.mtuBytes >= IPV6_MIN_MTU && { addrGenMode: k.IN6_ADDR_GEN_MODE_NONE }),
        }),
      });
    }
  }

  /** Brings MAC, MTU, alias, bridge and a tunnel's addresses to what `to` says. */
  change(number: number, operation: Operation, to: Device, from: Device): void {
    const { transaction } = this.#context;
    const before = from.kind === "veth" ? from.ends : [from];
    if (to.kind === "vxlan" && from.kind === "vxlan") this.#retarget(number, operation, to, from);
    for (const [i, placed] of this.#placed(to).entries()) {
      const old = before[i];
      const link = this.#mustFind(number, operation, placed.place, placed.end.name);
      const change = old && this.#difference(number, operation, placed, old);
      if (!change) continue;
      transaction.enqueue(placed.place, {
        operation: number,
        request: changeLink(link.index, change.forth),
        undo: changeLink(link.index, change.back),
      });
    }
  }

  /** Puts the device into the doomed group; the reaper gets it when the batch has succeeded. */
  remove(number: number, device: Device): void {
    const { transaction, mark } = this.#context;
    const found = this.#ours(device);
    for (const { place, index } of found)
      transaction.enqueue(place, {
        operation: number,
        request: changeLink(index, { group: doomedGroup(mark.group) }),
        undo: changeLink(index, { group: mark.group }),
        absent: ["ENODEV"],
      });
    transaction.onCommit(() => this.#reap(found, device));
  }

  /** The ends of a device that are there and ours. A namespace that is gone has taken its end along. */
  #ours(device: Device): { place: Place; index: number }[] {
    const { places, links, mark } = this.#context;
    const found: { place: Place; index: number }[] = [];
    for (const end of device.kind === "veth" ? device.ends : [device]) {
      const place = places.find(end.netns);
      const link = place && links.find(place, end.name);
      if (link?.group === mark.group && link.kind === device.kind)
        found.push({ place: place as Place, index: link.index });
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

  async #create(
    number: number,
    operation: Operation,
    device: Device,
    ends: readonly PlacedEnd[],
  ): Promise<number[]> {
    const { transaction, reaper, places } = this.#context;
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
        if (ack.message === undefined && !this.#inTheWay(ends)) continue;
      }
      throw this.#createRefusal(number, operation, device, ends, ack);
    }
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
    if (device.kind === "veth" && b) return newVeth(a, b);
    return device.kind === "vxlan" ? newVxlan(a, device) : newBridge(a);
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

  #createRefusal(
    number: number,
    operation: Operation,
    device: Device,
    ends: readonly PlacedEnd[],
    ack: Ack,
  ): KernelError {
    const errno = errnoName(ack.errno);
    const { places, mark } = this.#context;
    if (errno === "EEXIST") {
      const vni =
        device.kind === "vxlan"
          ? existingVni(device, [places.of("host"), ...ends.map(({ place }) => place)], mark)
          : undefined;
      const reason = this.#inTheWay(ends) ?? vni ?? ack.message ?? "no free index was found";
      return refusal(operation, errno, reason, { operation: number });
    }
    const { reason, hint, code } = reasonOf(errno, ack, device);
    const details = { operation: number, ...(hint !== undefined && { hint }) };
    if (code === undefined || code === codeOfErrno(errno)) return refusal(operation, errno, reason, details);
    return new KernelError(code, refusal(operation, errno, reason).message, { ...details, errno });
  }

  #retarget(number: number, operation: Operation, to: Vxlan, from: Vxlan): void {
    if (to.vni !== from.vni || to.port !== from.port || to.local.includes(":") !== from.local.includes(":"))
      throw refusal(
        operation,
        "EOPNOTSUPP",
        "a tunnel cannot change its VNI, its port or its address family",
        {
          operation: number,
          hint: "remove it, then add it",
        },
      );
    if (to.local === from.local && to.remote === from.remote) return;
    const place = this.#context.places.of(to.netns);
    const { index } = this.#mustFind(number, operation, place, to.name);
    this.#context.transaction.enqueue(place, {
      operation: number,
      request: changeVxlan(index, to),
      undo: changeVxlan(index, from),
    });
  }

  #difference(
    number: number,
    operation: Operation,
    placed: PlacedEnd,
    old: LinkEnd,
  ): { forth: LinkChange; back: LinkChange } | undefined {
    const { end } = placed;
    const forth: Record<string, unknown> = {};
    const back: Record<string, unknown> = {};
    for (const key of ["mac", "mtuBytes", "alias"] as const) {
      if (end[key] === old[key]) continue;
      forth[key] = end[key];
      back[key] = old[key];
    }
    if (end.bridge !== old.bridge) {
      forth["master"] = this.#masterOf(number, operation, placed) ?? 0;
      back["master"] = this.#masterOf(number, operation, { ...placed, end: old }) ?? 0;
    }
    return Object.keys(forth).length === 0 ? undefined : { forth, back };
  }

  #masterOf(number: number, operation: Operation, { end, place }: PlacedEnd): number | undefined {
    if (end.bridge === undefined) return undefined;
    const bridge = this.#mustFind(number, operation, place, end.bridge);
    if (bridge.kind === "bridge") return bridge.index;
    throw refusal(operation, "EOPNOTSUPP", `${end.bridge} is no bridge`, { operation: number });
  }

  #mustFind(number: number, operation: Operation, place: Place, name: string): Link {
    const link = this.#context.links.find(place, name);
    if (link) return link;
    throw refusal(operation, "ENODEV", `there is no device ${name}`, { operation: number });
  }

  #placed(device: Device): PlacedEnd[] {
    const ends = device.kind === "veth" ? device.ends : [device];
    return ends.map((end) => ({ end, place: this.#context.places.of(end.netns) }));
  }
}
