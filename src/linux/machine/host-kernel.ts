/** One kernel inside the worker: its host, its mark, its programs, its notifications. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { setTimeout as delay } from "node:timers/promises";
import {
  type AddressQuery,
  type ApplyOptions,
  type CounterQuery,
  type Counters,
  type Drops,
  NO_DROPS,
  type PortFacts,
  type KernelEvent,
  type KernelObject,
  type NativeNetwork,
  type NativeQuery,
  type Netns,
  type NetnsIdentity,
  type ObserveQuery,
  type OnLink,
  type Operation,
  type OwnAddress,
  type WatchPurpose,
  type Way,
  type WayQuery,
} from "../../kernel/kernel.ts";
import { Batch } from "../batch/batch.ts";
import { type AttachedWire, Datapath } from "../bpf/datapath.ts";
import type { WireVerdict } from "../bpf/wire-map.ts";
import { lookUp } from "../batch/links.ts";
import type { KernelSettings } from "./messages.ts";
import { readDevice } from "../namespaces/device-facts.ts";
import { NamespaceNumbers } from "../namespaces/namespace-numbers.ts";
import { readOwnAddress } from "../namespaces/own-address.ts";
import { readWay } from "../namespaces/way.ts";
import { readNativeNetwork } from "../namespaces/native-network.ts";
import { Ear } from "./ear.ts";
import { IpsecPolicies } from "./ipsec-policies.ts";
import { decodeLink } from "../netlink/link-decode.ts";
import { addBlockFilter, decodeFilterProgram, getBlockFilter } from "../netlink/ingress-block.ts";
import { dumpLinks, getLink } from "../netlink/link.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import type { NetnsTable } from "../namespaces/netns-table.ts";
import { type NetnsInode, type OpenNetns, runIn } from "../namespaces/netns.ts";
import { observe } from "../batch/observe.ts";
import { meetUplinks } from "../batch/tunnels.ts";
import { type NetnsPlace, Places } from "../namespaces/place.ts";
import type { ProcSys } from "../namespaces/proc-sys.ts";
import { hasIngressBlock, pinName } from "../bpf/programs.ts";
import type { Reactor } from "../libc/reactor.ts";
import { doomedGroup, type Reaper } from "../batch/reaper.ts";
import type { KeyedMutex } from "../../async/keyed-mutex.ts";

/** A removed namespace is reported before its devices are gone: after this time they are. */
const DEVICE_END_MS = 200;
const DYING_PAUSE_MS = 3;
/** The longest time for which uplinks keep their program after the last tunnel is closed. */
const UPLINK_MS = 10_000;

/** State shared by all kernels of the worker. */
export interface Shared {
  readonly table: NetnsTable;
  readonly reaper: Reaper;
  readonly settings: ProcSys;
  readonly turns: KeyedMutex<NetnsInode>;
  readonly reactor: Reactor;
}

export class HostKernel {
  readonly #settings: KernelSettings;
  readonly #shared: Shared;
  /** The only namespace that is held open while idle. */
  readonly #host: OpenNetns;
  readonly #ear: Ear;
  readonly #numbers = new NamespaceNumbers();
  #datapath: Datapath | undefined;
  /** Has an earlier process left a program in the host? Queried once. */
  #runs: boolean | undefined;
  #isClosed = false;
  /** Time of the last removal of a namespace, in milliseconds of `performance.now`. */
  #lastLossMs = Number.NEGATIVE_INFINITY;
  #sweep: NodeJS.Timeout | undefined;
  #release: NodeJS.Timeout | undefined;
  #ipsec: IpsecPolicies | undefined;

  /** NOT_FOUND if the host's namespace does not exist. Deletes devices in it that were doomed when a worker died. */
  constructor(settings: KernelSettings, shared: Shared, post: (event: KernelEvent) => void) {
    this.#settings = settings;
    this.#shared = shared;
    this.#host = shared.table.open(`file://${settings.hostPath}`);
    try {
      this.#ear = new Ear({
        host: this.#host,
        mark: settings.mark,
        numbers: this.#numbers,
        reactor: shared.reactor,
        post,
        onEnd: (nsid) => this.#lose(nsid),
        onRoutes: () => this.#meetUplinks(),
        onLoss: () => {
          for (const nsid of this.#numbers.stale(this.#host.socket)) this.#lose(nsid);
        },
      });
    } catch (error) {
      this.#host.close();
      throw error;
    }
    this.#using((places) => {
      const host = places.of("host");
      const links = host.socket.dump(dumpLinks(), (message) => decodeLink(message));
      if (links.some((link) => link.group === doomedGroup(settings.mark.group))) this.#reap(host);
    });
  }

  async apply(operations: readonly Operation[], options: ApplyOptions): Promise<void> {
    const places = this.#places();
    try {
      const batch = new Batch(
        {
          places,
          reaper: this.#shared.reaper,
          settings: this.#shared.settings,
          mark: this.#settings.mark,
          datapath: () => this.#openDatapath(),
          awaitTheDying: () => this.#awaitTheDying(),
          forgetPrograms: (place, index) => this.#forgetProgram(place, index),
        },
        operations,
        options,
      );
      batch.prepare();
      await this.#shared.turns.take(places.identities(), () =>
        this.#ear.ofBatch(places.all(), () => batch.run()),
      );
    } finally {
      places.close();
    }
  }

  async observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]> {
    const places = this.#places();
    try {
      for (const { netns } of queries) places.of(netns);
      return await this.#shared.turns.take(places.identities(), async () =>
        observe(
          {
            places,
            mark: this.#settings.mark,
            programOf: this.#programs(),
            tunnelOf: (index) => this.#existingDatapath()?.tunnel(index),
            known: () => this.#shared.table.known(),
            onDoomed: (place) => this.#reap(place),
          },
          queries,
        ),
      );
    } finally {
      places.close();
    }
  }

  nativeNetworks(queries: readonly NativeQuery[]): (NativeNetwork | undefined)[] {
    return this.#using((places) =>
      queries.map(({ netns, near }) => {
        const place = places.find(netns);
        return place && readNativeNetwork(place, this.#settings.mark, near);
      }),
    );
  }

  counters(queries: readonly CounterQuery[]): (Counters | undefined)[] {
    const datapath = this.#existingDatapath();
    return this.#using((places) =>
      queries.map(({ netns, link, isArrived }) => {
        const place = places.find(netns);
        const found = place?.socket.get(getLink(link, { stats: true }), decodeLink, ["ENODEV"]);
        if (!found) return undefined;
        if (isArrived) return datapath?.counters(found.index, { isArrived });
        const { rxPackets = 0, rxBytes = 0 } = found.stats ?? {};
        return datapath?.counters(found.index) ?? { packets: rxPackets, bytes: rxBytes };
      }),
    );
  }

  devices(queries: readonly OnLink[]): (PortFacts | undefined)[] {
    return this.#using((places) =>
      queries.map(({ netns, link }) => {
        const place = places.find(netns);
        return place && readDevice(place, this.#settings.mark, link);
      }),
    );
  }

  ways(queries: readonly WayQuery[]): (Way | undefined)[] {
    return this.#using((places) =>
      queries.map((query) => {
        const place = places.find(query.netns);
        return place && readWay(place, query);
      }),
    );
  }

  addresses(queries: readonly AddressQuery[]): (OwnAddress | undefined)[] {
    return this.#using((places) =>
      queries.map(({ netns, address }) => {
        const place = places.find(netns);
        return place && readOwnAddress(place, address);
      }),
    );
  }

  drops(): Drops {
    const datapath = this.#existingDatapath();
    if (!datapath) return NO_DROPS;
    return this.#using((places) => datapath.drops((index) => lookUp(places.of("host"), index)));
  }

  resolve(netns: Netns): NetnsIdentity {
    return this.#using((places) => {
      const { identity, cookie } = places.of(netns);
      return { netns: identity, cookie };
    });
  }

  async settle(): Promise<void> {
    await this.#shared.reaper.settle();
    this.#sweepPins();
  }

  listen(purpose: WatchPurpose | undefined): void {
    this.#ear.listen(purpose);
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#sweep);
    clearTimeout(this.#release);
    this.#ear.close();
    if (this.#ipsec) {
      this.#shared.reactor.unregister(this.#ipsec.fd);
      this.#ipsec.close();
    }
    this.#datapath?.close();
    this.#host.close();
  }

  #using<T>(action: (places: Places) => T): T {
    const places = this.#places();
    try {
      return action(places);
    } finally {
      places.close();
    }
  }

  #places(): Places {
    return new Places(this.#shared.table, this.#host, (place) => this.#meet(place));
  }

  /** Makes sure that the end of a namespace is reported, and that the namespace can be found by its identity. */
  #meet(place: NetnsPlace): void {
    if (place.identity === this.#host.identity) return;
    const { cookie } = place;
    if (place.netns.startsWith("file://"))
      this.#shared.table.remember(place.identity, { path: place.netns.slice("file://".length), cookie });
    if (this.#numbers.has(place.identity, cookie)) return;
    // The number may have belonged to another namespace, whose end is still in the queue.
    this.#ear.drain();
    this.#numbers.add(place, cookie, this.#host.socket);
  }

  #openDatapath(): Datapath {
    if (this.#datapath) return this.#datapath;
    // Before any packet takes the fast path.
    this.#heedIpsec();
    const datapath = this.#using((places) => {
      const host = places.of("host");
      const opened = Datapath.open(this.#settings.bpffs, {
        running: runningProgram(host),
        isBound: (ifindex) => lookUp(host, ifindex) !== undefined,
      });
      opened.tunnels.isSlow = this.#isSlow();
      // Replaces an older program of an earlier process. Without a device there is no block and nothing to replace.
      host.socket.change(addBlockFilter(opened.program, { replaces: true }));
      return opened;
    });
    this.#datapath = datapath;
    this.#sweepPins();
    this.#meetUplinks();
    return datapath;
  }

  /** Watches for IPsec policies, which disable the fast path. */
  #heedIpsec(): void {
    if (this.#ipsec) return;
    this.#ipsec = runIn(this.#host.fd, () => IpsecPolicies.open());
    if (!this.#ipsec) return;
    this.#shared.reactor.register(this.#ipsec.fd, () => {
      if (this.#datapath) this.#datapath.tunnels.isSlow = this.#isSlow();
    });
  }

  #isSlow(): boolean {
    return !this.#settings.fastPath || (this.#ipsec?.mayHaveAny() ?? false);
  }

  #meetUplinks(): void {
    const datapath = this.#datapath;
    if (datapath) this.#using((places) => meetUplinks(places.of("host"), datapath, this.#settings.mark));
  }

  /**
   * Removes the programs of uplinks when there are no tunnels. With a delay, because a new tunnel would have to wait for
   * them.
   */
  #releaseLater(): void {
    if (this.#isClosed || !this.#datapath?.uplinks.attached.size) return;
    const { tunnels, uplinks } = this.#datapath;
    this.#release ??= setTimeout(() => {
      this.#release = undefined;
      if (!tunnels.isEmpty) return;
      uplinks.clear();
      tunnels.forgetRemotes();
    }, UPLINK_MS).unref();
  }

  /**
   * The datapath, if programs are pinned here or run without a pin, because a bpffs can vanish with its mount namespace.
   */
  #existingDatapath(): Datapath | undefined {
    if (this.#datapath) return this.#datapath;
    const isPinned = existsSync(join(this.#settings.bpffs, "links"));
    this.#runs ??= this.#using((places) => runningProgram(places.of("host")) !== undefined);
    return isPinned || this.#runs ? this.#openDatapath() : undefined;
  }

  #forgetProgram(place: NetnsPlace, index: number): void {
    if (this.#isClosed) return;
    const datapath = this.#existingDatapath();
    if (place.identity === this.#host.identity) datapath?.unbind(index);
    else datapath?.detach(pinName(place.identity, index));
    this.#releaseLater();
  }

  /** Returns a lookup of programs, which reads the pins once, on first use. */
  #programs(): (place: NetnsPlace, linkIndex: number) => WireVerdict | undefined {
    const datapath = this.#existingDatapath();
    if (!datapath) return () => undefined;
    let pinned: Map<string, AttachedWire> | undefined;
    return (place, linkIndex) => {
      const action = datapath.action(linkIndex);
      if (!action) return undefined;
      // On a borrowed device of the host the program is pinned, as in workloads.
      if (place.identity === this.#host.identity && hasIngressBlock(place, linkIndex)) return action;
      pinned ??= new Map(datapath.list().map((wire) => [wire.name, wire]));
      return pinned.get(pinName(place.identity, linkIndex))?.ifindex === linkIndex ? action : undefined;
    };
  }

  #reap(place: NetnsPlace): void {
    const { mark } = this.#settings;
    this.#shared.reaper.add(
      {
        netns: place.identity,
        group: doomedGroup(mark.group),
        touches: [place.identity, this.#host.identity],
        afterwards: () => this.#sweepPins(),
      },
      () => place.run(() => NetlinkSocket.open()),
    );
  }

  /** Removes the pins of removed devices. The next kernel removes those that outlive this one, when it opens them. */
  #sweepPins(): void {
    if (this.#isClosed) return;
    const datapath = this.#existingDatapath();
    for (const { name, ifindex } of datapath?.list() ?? []) if (ifindex === 0) datapath?.detach(name);
    this.#releaseLater();
  }

  async #awaitTheDying(): Promise<boolean> {
    this.#ear.drain();
    if (performance.now() > this.#lastLossMs + DEVICE_END_MS) return false;
    await delay(DYING_PAUSE_MS);
    return true;
  }

  /** Handles the removal of a namespace. */
  #lose(nsid: number): void {
    const numbered = this.#numbers.remove(nsid);
    if (!numbered) return;
    this.#lastLossMs = performance.now();
    this.#shared.table.forget(numbered.identity, numbered.cookie);
    this.#sweep ??= setTimeout(() => {
      this.#sweep = undefined;
      this.#sweepPins();
    }, DEVICE_END_MS).unref();
    this.#ear.forget(nsid);
    this.#ear.tell({ type: "netns-removed", netns: numbered.netns });
  }
}

/** ID of the program on the block of the host's devices. */
function runningProgram(host: NetnsPlace): number | undefined {
  return host.socket.get(getBlockFilter(), decodeFilterProgram, ["ENOENT", "EINVAL", "EOPNOTSUPP"]);
}
