/** The state shared by all kernels of a simulated machine: namespaces, clock, order of batches, notifications. */
import { NetloomError } from "../../errors/errors.ts";
import type { Random } from "../../world/world.ts";
import type { Clock } from "../../async/clock.ts";
import { DropBook } from "./drop-book.ts";
import { dissolve } from "./links.ts";
import { announceEnd } from "./news.ts";
import type { KernelNews, Machinery, SimDevice, SimNetns } from "./state.ts";

export interface SimMachineOptions {
  readonly clock: Clock;
  /** Varies the duration of an operation between 0.5 and 1.5 times `operationMs`. Default: no variation. */
  readonly random?: Random;
  /** Duration of one operation in milliseconds. Default: 0.1. */
  readonly operationMs?: number;
  /** Time for which a removed device keeps its name and its VNI, in milliseconds. Default: 20. */
  readonly deletionMs?: number;
  /** The most notifications that a subscription holds before it loses them. Default: 256. */
  readonly watchLimit?: number;
}

/** Receives the notifications of all namespaces. */
export interface KernelListener {
  hear(netns: SimNetns, news: KernelNews, dueMs: number): void;
}

export class NetnsMachine implements Machinery {
  readonly clock: Clock;
  readonly tunnels = new Map<string, SimDevice>();
  readonly arrivals = new Map<string, SimDevice>();
  readonly uplinks = new Set<SimDevice>();
  readonly drops = new DropBook();
  readonly dying = new Set<SimDevice>();
  readonly listeners = new Set<KernelListener>();
  readonly deletionMs: number;
  readonly watchLimit: number;
  readonly root: SimNetns;
  readonly #operationMs: number;
  readonly #random: Random | undefined;
  readonly #byPath = new Map<string, SimNetns>();
  readonly #byIdentity = new Map<string, SimNetns>();
  readonly #freeInodes: number[] = [];
  #nextInode = 4026532000;
  #nextCookie = 1;
  #nextIndex = 2;
  #draws = 0;
  #batches: { readonly wants: ReadonlySet<SimNetns>; start: (() => void) | undefined }[] = [];

  constructor(options: SimMachineOptions) {
    this.clock = options.clock;
    this.#random = options.random;
    this.#operationMs = options.operationMs ?? 0.1;
    this.deletionMs = options.deletionMs ?? 20;
    this.watchLimit = options.watchLimit ?? 256;
    this.root = this.create("/proc/1/ns/net");
  }

  nowMs(): number {
    return this.clock.monotonicMs();
  }

  nextIndex(): number {
    return this.#nextIndex++;
  }

  /** Lets the time of one operation pass, then frees removed devices. */
  async pause(): Promise<void> {
    const spread = this.#random ? 0.5 + this.#random.fraction("kernel operation", this.#draws++) : 1;
    await this.clock.sleep(this.#operationMs * spread);
    this.reap();
  }

  create(path: string): SimNetns {
    if (this.#byPath.has(path))
      throw new NetloomError("ALREADY_EXISTS", `create network namespace ${path}: it exists`);
    const inode = this.#freeInodes.sort((a, b) => a - b).shift() ?? this.#nextInode++;
    const netns: SimNetns = {
      path,
      identity: `inode://4/${inode}`,
      cookie: String(this.#nextCookie++),
      isAlive: true,
      devices: new Map(),
      routes: new Set(),
      rules: new Set(),
      sysctls: new Map(),
    };
    this.#byPath.set(path, netns);
    this.#byIdentity.set(netns.identity, netns);
    return netns;
  }

  /** Adds another path to the namespace: a bind mount, a symlink, a process in it. */
  alias(netns: SimNetns, path: string): void {
    if (this.#byPath.has(path))
      throw new NetloomError("ALREADY_EXISTS", `name network namespace ${path}: it exists`);
    this.#byPath.set(path, netns);
  }

  /** Removes a path. A namespace without any path dies. */
  unname(path: string): void {
    const netns = this.#byPath.get(path);
    if (!netns) return;
    const paths = [...this.#byPath].filter(([, found]) => found === netns);
    if (paths.length === 1) this.destroy(path);
    else this.#byPath.delete(path);
  }

  /**
   * Removes the namespace. Its devices are hidden at once; they, their peers and the tunnels over it are freed after the
   * deletion time.
   */
  destroy(path: string): void {
    const netns = this.#byPath.get(path);
    if (!netns) return;
    netns.isAlive = false;
    for (const [each, found] of this.#byPath) if (found === netns) this.#byPath.delete(each);
    this.#byIdentity.delete(netns.identity);
    this.#freeInodes.push(Number(netns.identity.slice("inode://4/".length)));
    const goneAtMs = this.nowMs() + this.deletionMs;
    const doomed = [...netns.devices.values()];
    const peers = doomed.flatMap((device) => device.peer ?? []);
    const orphans = [...this.tunnels.values()].filter((device) => device.tunnel?.underlay === netns);
    for (const device of doomed) device.isDoomed = true;
    for (const device of new Set([...doomed, ...peers, ...orphans])) {
      if (device.goneAtMs === undefined) announceEnd(this, device, goneAtMs);
      device.goneAtMs ??= goneAtMs;
      this.dying.add(device);
      this.uplinks.delete(device);
    }
    for (const device of doomed) dissolve(device);
    this.announce(netns, { type: "netns-removed" }, goneAtMs);
  }

  at(path: string): SimNetns | undefined {
    return this.#byPath.get(path);
  }

  identified(identity: string): SimNetns | undefined {
    return this.#byIdentity.get(identity);
  }

  /** Frees the names and VNIs of devices whose deletion is over. */
  reap(): void {
    for (const device of this.dying) {
      if ((device.goneAtMs ?? 0) > this.nowMs()) continue;
      this.dying.delete(device);
      device.isDoomed = true;
      dissolve(device);
      if (device.netns.devices.get(device.name) === device) device.netns.devices.delete(device.name);
      for (const held of [this.tunnels, this.arrivals])
        for (const [key, holder] of held) if (holder === device) held.delete(key);
    }
  }

  announce(netns: SimNetns, news: KernelNews, dueMs: number = this.nowMs()): void {
    for (const listener of this.listeners) listener.hear(netns, news, dueMs + this.#operationMs);
  }

  /** Resolves when no earlier batch uses any of these namespaces. The returned function lets the next batches in. */
  async enter(wants: ReadonlySet<SimNetns>): Promise<() => void> {
    const batch: { readonly wants: ReadonlySet<SimNetns>; start: (() => void) | undefined } = {
      wants,
      start: undefined,
    };
    this.#batches.push(batch);
    if (!this.#mayStart(batch)) await new Promise<void>((resolve) => (batch.start = resolve));
    return () => {
      this.#batches = this.#batches.filter((each) => each !== batch);
      for (const each of this.#batches)
        if (each.start && this.#mayStart(each)) {
          each.start();
          each.start = undefined;
        }
    };
  }

  #mayStart(batch: { readonly wants: ReadonlySet<SimNetns> }): boolean {
    const index = this.#batches.findIndex((each) => each.wants === batch.wants);
    return !this.#batches
      .slice(0, index)
      .some((each) => [...each.wants].some((netns) => batch.wants.has(netns)));
  }
}

/** The namespace that a path or an identity leads to now. */
export function findNetns(machine: NetnsMachine, netns: string): SimNetns | undefined {
  if (netns.startsWith("file://")) return machine.at(netns.slice("file://".length));
  return machine.identified(netns);
}
