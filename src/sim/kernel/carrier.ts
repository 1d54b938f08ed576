/** The simulated `Kernel` of one host: batches in turn, undo, crashes, marks and notifications. */
import { describeOperation, refusal } from "../../kernel/kernel-text.ts";
import {
  type AddressQuery,
  type ApplyOptions,
  type CounterQuery,
  type Counters,
  type Drops,
  type PortFacts,
  type Failpoint,
  type Kernel,
  KernelError,
  type KernelEvent,
  type KernelObject,
  MESH_MARK,
  type NativeNetwork,
  type NativeQuery,
  type Netns,
  type NetnsIdentity,
  type ObserveQuery,
  type OnLink,
  type Operation,
  type OwnAddress,
  type OwnerMark,
  type Way,
  type WayQuery,
  type WatchPurpose,
} from "../../kernel/kernel.ts";
import { endsOf, isDevice, namespacesOf } from "../../kernel/objects.ts";
import { demandDevicesLast, isDeviceRemoval } from "../../kernel/operations.ts";
import { type Watch } from "../../async/watch.ts";
import { type Actor, bury, busyUntilMs, type Undo } from "./links.ts";
import { findNetns, type KernelListener, type NetnsMachine } from "./machine.ts";
import { factsOf, look, nativeNetworkOf, ownAddressOf, viewOf } from "./observe.ts";
import { perform } from "./operations.ts";
import { wayOf } from "./reach.ts";
import { understood } from "./news.ts";
import { type KernelNews, Refused, type SimDevice, type SimNetns } from "./state.ts";
import { simKindOf } from "./objects.ts";
import { SimWatch } from "./watch.ts";

/**
 * A fault of one operation. `errno` is the kernel's error, such as `ENOBUFS` or `EBUSY`; without it the error names a
 * failpoint.
 */
export interface SimFault extends Omit<Failpoint, "operation"> {
  readonly errno?: string;
}

export interface SimKernelOptions {
  /** The namespace to use as `host`. Default: the machine's first one. */
  readonly host?: Netns;
  /** Default: the mark of the mesh. */
  readonly mark?: OwnerMark;
  /** Called before every operation of this kernel, with its number from 0. */
  readonly fault?: (number: number, operation: Operation) => SimFault | undefined;
}

const ROUTES_PAUSE_MS = 100;

/** The name of a namespace that was never queried, as in the real kernel. */
const unknownNetns: Netns = "inode://0/0";

export class SimKernel implements Kernel, Actor, KernelListener {
  readonly machine: NetnsMachine;
  readonly mark: OwnerMark;
  readonly pins: string;
  readonly home: SimNetns;
  readonly #fault: SimKernelOptions["fault"];
  readonly #watches = new Set<SimWatch>();
  /** Cookies by returned identity, so that a reused inode does not count as the old namespace. */
  readonly #cookies = new Map<string, string>();
  /** The caller's names of the namespaces that it has used. */
  readonly #names = new Map<SimNetns, Netns>();
  /** The due time of the last notification about the host's routes. */
  #routesDueMs = Number.NEGATIVE_INFINITY;
  #life = 0;
  #operations = 0;

  constructor(machine: NetnsMachine, options: SimKernelOptions) {
    const home = options.host === undefined ? machine.root : findNetns(machine, options.host);
    if (!home)
      throw new KernelError("NOT_FOUND", `open a kernel in ${options.host}: there is no such namespace`);
    this.machine = machine;
    this.home = home;
    this.mark = options.mark ?? MESH_MARK;
    this.pins = `${home.cookie}/${this.mark.group}`;
    this.#fault = options.fault;
    this.#names.set(home, "host");
    machine.listeners.add(this);
  }

  async apply(batch: readonly Operation[], options: ApplyOptions = {}): Promise<void> {
    demandDevicesLast(batch);
    const life = this.#life;
    const leave = await this.machine.enter(this.#namespaces(batch));
    const strangers = this.#strangers(batch);
    const undos: Undo[] = [];
    try {
      for (const [number, operation] of batch.entries()) {
        await this.#pause(life);
        const fault = this.#faultAt(number, operation, options.failpoint);
        if (fault?.when === "before") this.#strike(operation, number, fault);
        await this.#whenFree(operation, life);
        if (!this.#isOnOneOf(strangers, operation)) undos.push(this.#do(operation, number));
        if (fault?.when === "after") this.#strike(operation, number, fault);
      }
    } catch (error) {
      for (const undo of life === this.#life ? undos.toReversed() : []) {
        await this.#pause(life);
        undo();
      }
      throw error;
    } finally {
      for (const { object } of batch.filter(isDeviceRemoval)) bury(this, object);
      leave();
    }
  }

  async observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]> {
    await this.#pause(this.#life);
    const views = queries.map((query) => viewOf(this.#mustFind(query.netns, "observe"), query));
    return look(this, views);
  }

  async nativeNetworks(queries: readonly NativeQuery[]): Promise<(NativeNetwork | undefined)[]> {
    await this.#pause(this.#life);
    return queries.map(({ netns, near }) => {
      const found = this.lookUp(netns);
      return found && nativeNetworkOf(found, this.mark, near);
    });
  }

  async counters(queries: readonly CounterQuery[]): Promise<(Counters | undefined)[]> {
    await this.#pause(this.#life);
    return queries.map(({ netns, link, isArrived }) => {
      const device = this.lookUp(netns)?.devices.get(link);
      if (!device) return undefined;
      if (isArrived) return device.program?.arrived && { ...device.program.arrived };
      const { packets, bytes } = device.program?.pins === this.pins ? device.program : device.received;
      return { packets, bytes };
    });
  }

  async devices(queries: readonly OnLink[]): Promise<(PortFacts | undefined)[]> {
    await this.#pause(this.#life);
    return queries.map(({ netns, link }) => {
      const device = this.lookUp(netns)?.devices.get(link);
      return device && !device.isDoomed ? factsOf(device, this.mark) : undefined;
    });
  }

  async ways(queries: readonly WayQuery[]): Promise<(Way | undefined)[]> {
    await this.#pause(this.#life);
    return queries.map((query) => {
      const found = this.lookUp(query.netns);
      return found && wayOf(found, query);
    });
  }

  async addresses(queries: readonly AddressQuery[]): Promise<(OwnAddress | undefined)[]> {
    await this.#pause(this.#life);
    return queries.map(({ netns, address }) => {
      const found = this.lookUp(netns);
      return found && ownAddressOf(found, address);
    });
  }

  async drops(): Promise<Drops> {
    await this.#pause(this.#life);
    return this.machine.drops.of(this.pins, this.machine.nowMs());
  }

  async resolve(netns: Netns): Promise<NetnsIdentity> {
    await this.#pause(this.#life);
    const found = this.#mustFind(netns, "resolve");
    this.#cookies.set(found.identity, found.cookie);
    return { netns: found.identity, cookie: found.cookie };
  }

  watch(purpose?: WatchPurpose): Watch<KernelEvent> {
    const watch = new SimWatch({
      clock: this.machine.clock,
      limit: this.machine.watchLimit,
      purpose: purpose ?? "everything",
      onClose: () => this.#watches.delete(watch),
    });
    this.#watches.add(watch);
    return watch;
  }

  async settle(): Promise<void> {
    for (;;) {
      const lastMs = Math.max(0, ...[...this.machine.dying].map((device) => device.goneAtMs ?? 0));
      const waitMs = lastMs - this.machine.nowMs();
      if (waitMs > 0) await this.machine.clock.sleep(waitMs);
      this.machine.reap();
      if (this.machine.dying.size === 0) return;
    }
  }

  /**
   * Simulates a crash of the implementation: running batches stop and reject with ABORTED. The next call starts it again.
   */
  crash(): void {
    this.#life++;
    for (const watch of this.#watches) watch.lose("the carrier of the kernel died");
  }

  /** Loses notifications, as when the buffer of the socket overflows. */
  loseNotifications(): void {
    for (const watch of this.#watches) watch.lose("ENOBUFS: notifications were lost");
  }

  close(): Promise<void> {
    this.machine.listeners.delete(this);
    for (const watch of this.#watches) watch.close();
    return this.settle();
  }

  find(netns: Netns): SimNetns {
    const found = this.lookUp(netns);
    if (!found) throw new Refused("ENOENT", `there is no network namespace ${netns}`, { at: { netns } });
    return found;
  }

  hear(netns: SimNetns, news: KernelNews, dueMs: number): void {
    const name = this.#names.get(netns);
    if (name === undefined) return;
    if (news.type === "netns-removed") this.#names.delete(netns);
    const event = understood(news, name, { mark: this.mark, self: this });
    if (!event) return;
    const isOfHost = event.type === "route" && name === "host";
    const toldMs = isOfHost ? this.#routesToldMs(dueMs) : dueMs;
    if (toldMs !== undefined) for (const watch of this.#watches) watch.push(event, toldMs);
  }

  /** The due time of a notification about the host's routes; `undefined` if one that is still due covers this change. */
  #routesToldMs(dueMs: number): number | undefined {
    if (dueMs <= this.#routesDueMs) return undefined;
    this.#routesDueMs = dueMs + ROUTES_PAUSE_MS;
    return this.#routesDueMs;
  }

  nameOf(netns: SimNetns): Netns {
    if (netns === this.home) return "host";
    return this.#names.has(netns) ? netns.identity : unknownNetns;
  }

  lookUp(netns: Netns): SimNetns | undefined {
    const found = netns === "host" ? this.home : findNetns(this.machine, netns);
    if (!found?.isAlive) return undefined;
    const cookie = this.#cookies.get(netns);
    if (cookie !== undefined && cookie !== found.cookie) return undefined;
    if (!this.#names.has(found)) this.#names.set(found, netns);
    return found;
  }

  #mustFind(netns: Netns, verb: string): SimNetns {
    const found = this.lookUp(netns);
    if (found) return found;
    throw new KernelError("NOT_FOUND", `${verb} ${netns}: ENOENT: there is no network namespace`, {
      errno: "ENOENT",
      at: { netns },
    });
  }

  #namespaces(batch: readonly Operation[]): Set<SimNetns> {
    const names = new Set(batch.flatMap((operation) => namespacesOf(operation.object)));
    return new Set([...names].flatMap((name) => this.lookUp(name) ?? []));
  }

  /** Lets the time of one operation pass. ABORTED if the implementation has crashed meanwhile. */
  async #pause(life: number): Promise<void> {
    if (life === this.#life) await this.machine.pause();
    if (life !== this.#life) throw new KernelError("ABORTED", "the carrier of the kernel died");
  }

  /** Waits until devices under deletion release the name or the VNI. */
  async #whenFree(operation: Operation, life: number): Promise<void> {
    const { verb, object } = operation;
    if (verb !== "add" || !isDevice(object)) return;
    for (;;) {
      // The clock may have moved since the last pause.
      this.machine.reap();
      const untilMs = this.#busyUntilMs(object);
      if (untilMs === undefined) return;
      await this.machine.clock.sleep(untilMs - this.machine.nowMs());
      await this.#pause(life);
    }
  }

  #busyUntilMs(object: Parameters<typeof busyUntilMs>[1]): number | undefined {
    try {
      return busyUntilMs(this, object, simKindOf(object).inTheWay?.(this, object));
    } catch (error) {
      // The operation itself reports a missing namespace, because it knows its number.
      if (error instanceof Refused) return undefined;
      throw error;
    }
  }

  /** Devices that have the name of a device that the batch removes, but belong to another owner. */
  #strangers(batch: readonly Operation[]): Set<SimDevice> {
    const removed = batch.filter(isDeviceRemoval).map(({ object }) => object);
    return new Set(
      removed.flatMap(endsOf).flatMap((end) => {
        const device = this.lookUp(end.netns)?.devices.get(end.name);
        const isOurs = device?.group === this.mark.group && device.alias === end.alias;
        return device && !isOurs ? [device] : [];
      }),
    );
  }

  /** Does the operation remove something from one of these devices? */
  #isOnOneOf(devices: ReadonlySet<SimDevice>, { verb, object }: Operation): boolean {
    if (verb !== "remove" || !("link" in object)) return false;
    const device = this.lookUp(object.netns)?.devices.get(object.link);
    return device !== undefined && devices.has(device);
  }

  #do(operation: Operation, number: number): Undo {
    try {
      return perform(this, operation);
    } catch (error) {
      if (error instanceof Refused)
        throw refusal(operation, error.errno, error.message, {
          operation: number,
          ...error.details,
        });
      throw error;
    }
  }

  #faultAt(number: number, operation: Operation, failpoint: Failpoint | undefined): SimFault | undefined {
    const fault = this.#fault?.(this.#operations++, operation);
    return failpoint?.operation === number ? failpoint : fault;
  }

  #strike(operation: Operation, number: number, fault: SimFault): never {
    const what = describeOperation(operation);
    if (fault.how === "crash") {
      this.crash();
      throw new KernelError("ABORTED", `${what}: the carrier of the kernel died`, { operation: number });
    }
    if (fault.errno !== undefined)
      throw refusal(operation, fault.errno, "the kernel is out of luck", { operation: number });
    throw new KernelError("INTERNAL", `${what}: failpoint ${fault.when}`, { operation: number });
  }
}
