/**
 * The programs of datapath/ in the kernel, and their pins in one bpffs directory:
 *
 *   wires, tunnels, …   the maps (maps.ts)
 *   wire-<digest>       the program of devices | of the object with this digest; a newer object
 *   uplink-<digest>     the program of uplinks | replaces them under running traffic
 *   retarget-<digest>   writes `wires`         |
 *   links/<name>        one tcx link per attached device
 *   uplinks/<ifindex>   one tcx link per uplink (uplinks.ts)
 *
 * A device in a workload's namespace is attached by a tcx link, which nobody in there can detach. That takes the kernel
 * 8-20 ms, during which it holds the RTNL lock. A device of the host is bound: it gets a map entry, and the caller makes
 * sure that the program runs at its ingress (netlink/ingress-block.ts), which takes microseconds.
 *
 * The kernel holds the state: this class caches nothing that another process could change. Only one process at a time may
 * change a directory.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import type { Drops } from "../../kernel/drops.ts";
import { KernelError, type Counters } from "../../kernel/kernel.ts";
import {
  bindMap,
  bpfError,
  createTcxLink,
  getPinned,
  pinObject,
  programId,
  tcxLinkInfo,
  updateLink,
} from "./bpf.ts";
import { close } from "../libc/syscall.ts";
import { ensureBpffs, nameOfPin, pinNameOf, releaseBpffs } from "./bpffs.ts";
import { type DropContext, readDrops } from "./drop-maps.ts";
import { loadMap, loadProgramOf } from "./loader.ts";
import { GuardMaps } from "./guard-maps.ts";
import { WireEntries } from "./wire-entries.ts";
import { DatapathMaps, pinned } from "./maps.ts";
import { readObject } from "./object.ts";
import type { TunnelEntry } from "./tunnel-entry.ts";
import { TunnelMaps } from "./tunnel-maps.ts";
import { Uplinks } from "./uplinks.ts";
import { type WireVerdict, arrivedEntry, indexOfEntry, isArrivedEntry, type Verdict } from "./wire-map.ts";

/** The verdict of the `wire` program for frames that enter a device. */
export interface Bound extends WireVerdict {
  readonly ifindex: number;
}

/** The `wire` program on the ingress of a device of the current namespace. */
export interface Attachment extends Bound {
  /** Name of the pin, at most 80 bytes. */
  readonly name: string;
}

export interface AttachedWire {
  readonly name: string;
  /** 0 when the device is gone. Verdict and target are then unknown. */
  readonly ifindex: number;
  /** Absent also if the device is closed: attached, but without a map entry. */
  readonly verdict?: Verdict;
  readonly targetIfindex?: number;
}

export interface DatapathOptions {
  /** Is there a device with this index that a bound entry may belong to? */
  readonly isBound?: (ifindex: number) => boolean;
  /** Used if nothing is pinned: the ID of a running program of Netloom, whose pins were lost with a mount namespace. */
  readonly running?: number | undefined;
  /** For tests: the bytes of another build. */
  readonly object?: Uint8Array;
}

const OBJECT = new URL("../../../datapath/build/wire.bpf.o", import.meta.url);
const PROGRAMS = ["wire", "uplink", "retarget"] as const;
type ProgramName = (typeof PROGRAMS)[number];

export class Datapath {
  readonly tunnels: TunnelMaps;
  readonly uplinks: Uplinks;
  readonly #entries: WireEntries;
  readonly #directory: string;
  readonly #maps: DatapathMaps;
  readonly #programs: Readonly<Record<ProgramName, number>>;
  readonly #isBound: (ifindex: number) => boolean;

  private constructor(
    directory: string,
    maps: DatapathMaps,
    programs: Readonly<Record<ProgramName, number>>,
    isBound: (ifindex: number) => boolean,
  ) {
    this.#directory = directory;
    this.#isBound = isBound;
    this.#maps = maps;
    this.#programs = programs;
    this.tunnels = new TunnelMaps({
      tunnels: maps.of("tunnels"),
      arrivals: { 4: maps.of("arrivals4"), 6: maps.of("arrivals6") },
      devices: maps.of("devices"),
      slow: maps.of("slow"),
    });
    const guards = new GuardMaps({ sources: maps.of("sources"), grants: maps.of("grants") });
    this.#entries = new WireEntries(maps.of("wires"), programs.retarget, guards);
    this.uplinks = new Uplinks(directory, programs.uplink);
  }

  /**
   * Mounts a bpffs at `bpffs` if there is none. Loads and pins the programs and the maps, or adopts the pinned ones. If
   * nothing is pinned but a program of Netloom still runs, its maps are adopted. Links with an older program get the
   * current one without losing a packet, and entries of removed devices are deleted. FAILED_PRECONDITION if a pinned map
   * has another layout.
   */
  static open(bpffs: string, options: DatapathOptions = {}): Datapath {
    const object = options.object ?? readFileSync(OBJECT);
    const isMounted = ensureBpffs(bpffs);
    const opened: { close(): void }[] = [];
    try {
      const spec = readObject(object);
      mkdirSync(join(bpffs, "links"), { recursive: true });
      const maps = DatapathMaps.open(bpffs, spec, options.running);
      opened.push(maps);
      const digest = createHash("sha256").update(object).digest("hex").slice(0, 16);
      const program = (name: ProgramName): number => {
        const fd = pinned(join(bpffs, `${name}-${digest}`), () => loadProgramOf(spec, name, maps.fds));
        opened.push({ close: () => close(fd) });
        return fd;
      };
      const programs = { wire: program("wire"), uplink: program("uplink"), retarget: program("retarget") };
      // Bind the maps that no program reads, too, so that they can be recovered from a running program.
      for (const map of maps.fds.values()) bindMap(programs.wire, map);
      const datapath = new Datapath(bpffs, maps, programs, options.isBound ?? (() => false));
      datapath.#adopt(digest);
      return datapath;
    } catch (error) {
      for (const each of opened) each.close();
      if (isMounted) {
        releaseBpffs(bpffs);
      }
      throw error;
    }
  }

  /**
   * Attaches the program to a device of the CURRENT namespace, with counters at zero. ALREADY_EXISTS if an existing device
   * uses the name or the index; UNIMPLEMENTED before Linux 6.6. A failure leaves nothing behind.
   *
   * The kernel waits for an RCU grace period (8-20 ms) with the RTNL lock held. `isFree` is called if there is an entry for
   * this index without a link: it tells whether the device of the entry is gone. Default: true if the host has no device
   * with this index.
   */
  attach(wire: Attachment, isFree = (): boolean => !this.#isBound(wire.ifindex)): void {
    const attempted = `attach wire ${wire.name} to device ${wire.ifindex}`;
    const path = this.#linkPath(wire.name);
    this.#claim(wire, { path, attempted, isFree });
    let link: number | undefined;
    try {
      link = createTcxLink(this.#programs.wire, wire.ifindex);
      if (link < 0) {
        throw linkError(attempted, link);
      }
      pinObject(link, path);
    } catch (error) {
      this.#entries.delete(wire.ifindex);
      throw error;
    } finally {
      if (link !== undefined && link >= 0) {
        close(link);
      }
    }
  }

  /** The descriptor of the program, for a filter. */
  get program(): number {
    return this.#programs.wire;
  }

  /**
   * Adds the map entry of a device of the host, with counters at zero. If there is an entry for this index, `isFree` tells
   * whether its device is gone; otherwise ALREADY_EXISTS.
   */
  bind(wire: Bound, isFree: () => boolean): void {
    this.#take(wire, { attempted: `bind device ${wire.ifindex}`, isFree, taken: "the device has a program" });
  }

  /** Removes the entry of a device and its tunnel, if there are any: frames that still enter are dropped. */
  unbind(ifindex: number): void {
    this.closeTunnel(ifindex);
    this.#entries.delete(ifindex);
  }

  /**
   * Opens the tunnel of a device, or changes it without resetting the counters. RESOURCE_EXHAUSTED if a map is full;
   * nothing is changed then.
   */
  openTunnel(ifindex: number, { mac, guard, ...entry }: TunnelEntry): void {
    const arrived = arrivedEntry(ifindex);
    const before = this.#entries.get(arrived);
    this.#entries.put(arrived, {
      verdict: "pass",
      ...(mac !== undefined && { mac }),
      ...(guard && { guard }),
    });
    try {
      this.tunnels.put(ifindex, entry);
    } catch (error) {
      if (before) this.#entries.put(arrived, before);
      else this.#entries.delete(arrived);
      throw error;
    }
  }

  /** Closes the tunnel of a device, if there is one. */
  closeTunnel(ifindex: number): void {
    this.tunnels.remove(ifindex);
    this.#entries.delete(arrivedEntry(ifindex));
  }

  /** The tunnel of a device; `undefined` if it has none, or an incomplete one. */
  tunnel(ifindex: number): TunnelEntry | undefined {
    const entry = this.tunnels.get(ifindex);
    const arrived = entry && this.#entries.get(arrivedEntry(ifindex));
    if (!arrived) return undefined;
    const { mac, guard } = arrived;
    return { ...entry, ...(mac !== undefined && { mac }), ...(guard && { guard }) };
  }

  /**
   * Changes verdict, target and guard of an attached or bound device. The counters go on, no packet is lost. NOT_FOUND if
   * the device is neither.
   */
  change({ ifindex, ...wire }: Bound): void {
    if (!this.#entries.has(ifindex))
      throw new KernelError("NOT_FOUND", `change device ${ifindex}: the program does not know it`);
    this.#entries.put(ifindex, wire);
  }

  /** The verdict of a device; `undefined` if the program does not know it. */
  action(ifindex: number): WireVerdict | undefined {
    return this.#entries.get(ifindex);
  }

  /**
   * Removes the entry of a device at once, so that frames that still enter are dropped. The kernel detaches the program
   * within milliseconds. Does nothing if the name is unknown.
   */
  detach(name: string): void {
    const info = this.#linkInfo(name);
    if (info === undefined) {
      return;
    }
    if (info.ifindex !== 0) this.unbind(info.ifindex);
    unlinkSync(this.#linkPath(name));
  }

  /** Is an existing device attached under this name? */
  isAttached(name: string): boolean {
    return (this.#linkInfo(name)?.ifindex ?? 0) !== 0;
  }

  /** The attached devices, by name. */
  list(): AttachedWire[] {
    return this.#names().map((name) => {
      const ifindex = this.#linkInfo(name)?.ifindex ?? 0;
      return { name, ifindex, ...(ifindex !== 0 && this.#entries.get(ifindex)) };
    });
  }

  /**
   * Counters of the frames that have entered a device, or have come out of its tunnel. `undefined` if it has no program, or
   * no tunnel.
   */
  counters(ifindex: number, { isArrived = false } = {}): Counters | undefined {
    return this.#entries.counters(isArrived ? arrivedEntry(ifindex) : ifindex);
  }

  /** Counters of frames that have entered devices, by ifindex, with one system call per thousand devices. */
  allCounters(): Map<number, Counters> {
    const all = new Map<number, Counters>();
    this.#entries.each((entry, counters) => {
      if (!isArrivedEntry(entry)) all.set(entry, counters());
    });
    return all;
  }

  /** The packets that the programs have dropped since the maps were created. */
  drops(lookUp: DropContext["lookUp"]): Drops {
    const [drops, strangers, offences] = [
      this.#maps.of("drops"),
      this.#maps.of("strangers"),
      this.#maps.of("offences"),
    ];
    const maps = { drops, strangers, offences };
    return readDrops(maps, { nowNs: process.hrtime.bigint(), lookUp });
  }

  /** Closes the descriptors. Pins and traffic stay. */
  close(): void {
    this.#maps.close();
    for (const fd of Object.values(this.#programs)) close(fd);
    this.uplinks.close();
  }

  /**
   * Detaches everything, removes the pins and the directory, and unmounts the bpffs if `open` has mounted it. Closes the
   * descriptors, too.
   */
  destroy(): void {
    for (const name of this.#names()) {
      this.detach(name);
    }
    this.uplinks.destroy();
    for (const pin of this.#programPins()) unlinkSync(join(this.#directory, pin));
    this.#maps.unpin();
    rmdirSync(join(this.#directory, "links"));
    this.close();
    releaseBpffs(this.#directory);
  }

  /** Updates the links of an earlier process to the current program, and forgets removed devices. */
  #adopt(digest: string): void {
    const current = programId(this.#programs.wire);
    const alive = new Set<number>();
    for (const name of this.#names()) {
      const link = getPinned(this.#linkPath(name));
      if (link === undefined) {
        continue;
      }
      try {
        const info = tcxLinkInfo(link);
        alive.add(info.ifindex);
        if (info.ifindex !== 0 && info.programId !== current) {
          updateLink(link, this.#programs.wire);
        }
      } finally {
        close(link);
      }
    }
    this.#prune(alive);
    for (const pin of this.#programPins())
      if (!pin.endsWith(`-${digest}`)) unlinkSync(join(this.#directory, pin));
  }

  #prune(alive: ReadonlySet<number>): void {
    const stale = new Set<number>();
    const isThere = (ifindex: number): boolean => alive.has(ifindex) || this.#isBound(ifindex);
    this.#entries.each((entry) => {
      const ifindex = indexOfEntry(entry);
      if (!isThere(ifindex)) stale.add(ifindex);
    });
    for (const ifindex of stale) this.unbind(ifindex);
    this.#entries.sweepGuards();
  }

  /** Claims name and index for `wire`, even from a removed device. Claims nothing if it throws. */
  #claim(
    wire: Attachment,
    {
      path,
      attempted,
      isFree,
    }: { readonly path: string; readonly attempted: string; readonly isFree: () => boolean },
  ): void {
    const holder = this.#linkInfo(wire.name);
    if (holder !== undefined) {
      if (holder.ifindex !== 0) {
        throw taken(attempted, `the name is in use on device ${holder.ifindex}`);
      }
      unlinkSync(path);
    }
    this.#take(wire, { attempted, isFree, taken: "a device of the host has this index" });
  }

  /**
   * Claims the entry of an index that is free or whose device is gone, with counters at zero. Claims nothing if it throws.
   */
  #take(
    { ifindex, ...wire }: Bound,
    how: { readonly attempted: string; readonly isFree: () => boolean; readonly taken: string },
  ): void {
    if (this.#entries.has(ifindex)) {
      this.#demandUnattached(ifindex, how.attempted);
      if (!how.isFree()) throw taken(how.attempted, how.taken);
      this.#entries.delete(ifindex);
    }
    this.#entries.put(ifindex, wire);
  }

  #demandUnattached(ifindex: number, attempted: string): void {
    const other = this.list().find((candidate) => candidate.ifindex === ifindex);
    if (other !== undefined) throw taken(attempted, `wire ${other.name} has a device with this index`);
  }

  #linkInfo(name: string): { ifindex: number; programId: number } | undefined {
    const link = getPinned(this.#linkPath(name));
    if (link === undefined) {
      return undefined;
    }
    try {
      return tcxLinkInfo(link);
    } finally {
      close(link);
    }
  }

  #linkPath(name: string): string {
    return join(this.#directory, "links", pinNameOf(name));
  }

  /** Empty if the bpffs was unmounted. */
  #names(): string[] {
    const directory = join(this.#directory, "links");
    return existsSync(directory) ? readdirSync(directory).map(nameOfPin).sort() : [];
  }

  #programPins(): string[] {
    return readdirSync(this.#directory).filter((pin) => /^(wire|uplink|retarget)-/.test(pin));
  }
}

/**
 * Loads the maps and the programs and releases them, to test whether this kernel accepts them. Throws the error of the
 * kernel.
 */
export function loadDatapathOnce(): void {
  const spec = readObject(readFileSync(OBJECT));
  const maps = new Map<string, number>();
  const programs: number[] = [];
  try {
    for (const { name } of spec.maps) maps.set(name, loadMap(spec, name));
    for (const name of PROGRAMS) programs.push(loadProgramOf(spec, name, maps));
  } finally {
    for (const fd of [...maps.values(), ...programs]) close(fd);
  }
}

function taken(attempted: string, words: string): KernelError {
  return new KernelError("ALREADY_EXISTS", `${attempted}: EEXIST: ${words}`, { errno: "EEXIST", words });
}

/** A kernel without tcx answers EINVAL to the attach type. Only then the version is the reason. */
function linkError(attempted: string, result: number): KernelError {
  const error = bpfError(attempted, result);
  if (error.errno !== "EINVAL") {
    return error;
  }
  const words = "tcx links are not supported (need Linux 6.6)";
  return new KernelError("UNIMPLEMENTED", `${error.message}: ${words}`, {
    errno: "EINVAL",
    words,
    hint: "run netloom doctor",
  });
}
