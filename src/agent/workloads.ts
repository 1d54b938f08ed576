/**
 * The workloads of a host: network namespaces that come and go. One watch on the kernel tells of the end of any of them;
 * what is not there is looked for until it comes.
 */
import { type Backoff, backoffMs } from "../async/backoff.ts";
import type { Log } from "../observe/log.ts";
import { NetloomError, operatingError } from "../errors/errors.ts";
import type { Kernel, KernelEvent, Netns, NetnsIdentity } from "../kernel/kernel.ts";
import type { HeldProcess, Processes } from "../kernel/processes.ts";
import type { Scope } from "../async/scope.ts";
import type { World } from "../world/world.ts";
import type { WorkloadPart } from "./attachment.ts";
import { Signal } from "../async/signal.ts";
import type { HostGuard } from "./host-guard.ts";
import { keepOn } from "./keep-on.ts";
import { labPlacePath } from "./lab-place.ts";

/** How soon something that is missing is looked for again: at first, and at most. */
const LOOKS: Readonly<Backoff> = { firstMs: 100, lastMs: 2_000 };

/** How often something that is there is looked at without a reason: its path may lead elsewhere by now. */
const CHECK_MS = 10_000;

/** A process may end while its namespace lives on. */
const CHECK_PROCESS_MS = 500;

/** Whether a workload is there, and since when it is this one. */
export type Presence =
  | { readonly isThere: true; readonly identity: NetnsIdentity }
  | { readonly isThere: false; readonly reason: string; readonly error?: NetloomError };

/** One workload, for as long as somebody is interested in it. */
export interface Workload {
  /** `alpha/web`: what people, and paths of connections, call it. */
  readonly name: string;
  readonly presence: Presence;
  /** Resolves as soon as `presence` is another one than `seen`. */
  changed(seen: Presence, scope: Scope): Promise<Presence>;
  release(): void;
}

export interface WorkloadsOptions {
  readonly world: World;
  readonly kernel: Kernel;
  readonly processes: Processes;
  readonly hostGuard: HostGuard;
  readonly log: Log;
}

export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #tracked = new Map<string, Tracked>();

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    options.world.scope.spawn("watch namespaces", (scope) =>
      keepOn(options, "watch namespaces", scope, (task) => this.#listen(task)),
    );
  }

  /** Begins to look for it. */
  use(part: WorkloadPart): Workload {
    const key = workloadKey(part);
    const known = this.#tracked.get(key);
    if (known) return this.#handOut(known);
    const tracked = new Tracked(this.#options, part);
    this.#tracked.set(key, tracked);
    const workload = this.#handOut(tracked);
    tracked.start();
    return workload;
  }

  /**
   * What tells a workload from all others, however it is called; `undefined` if it is not there. INTERNAL if the kernel cannot
   * be asked.
   */
  async identify(part: WorkloadPart): Promise<string | undefined> {
    const presence = this.#tracked.get(workloadKey(part))?.presence;
    if (presence?.isThere) return identityKey(presence.identity);
    try {
      return identityKey(await this.#options.kernel.resolve(netnsOf(part)));
    } catch (error) {
      if (error instanceof NetloomError) return undefined;
      throw error;
    }
  }

  #handOut(tracked: Tracked): Workload {
    let isHeld = true;
    tracked.users += 1;
    return {
      name: tracked.name,
      get presence() {
        return tracked.presence;
      },
      changed: (seen, scope) => tracked.changed(seen, scope),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        tracked.users -= 1;
        if (tracked.users > 0) return;
        this.#tracked.delete(tracked.key);
        tracked.stop();
      },
    };
  }

  async #listen(scope: Scope): Promise<void> {
    const watch = this.#options.kernel.watch("namespaces");
    // What has come and gone before is not told.
    for (const each of this.#tracked.values()) each.look();
    for await (const event of watch.within(scope)) this.#hear(event);
  }

  #hear(event: KernelEvent): void {
    if (event.type !== "netns-removed" && event.type !== "resync") return;
    const all = [...this.#tracked.values()];
    // The kernel names a namespace as somebody has called it first: here it may have other names, or none that is known.
    const named = event.type === "resync" ? [] : all.filter((each) => each.isCalled(event.netns));
    const isMeant = (each: Tracked): boolean => named.some((one) => one === each || one.isSameAs(each));
    for (const each of named.length > 0 ? all.filter(isMeant) : all) each.look();
  }
}

/** Equal for workloads that are written alike, whatever the order of keys. */
export function workloadKey(part: WorkloadPart): string {
  if ("pid" in part) return `pid ${part.pid}`;
  return `netns ${"lab" in part ? labPlacePath(part.lab) : part.netns}`;
}

/** Equal for equal namespaces: a number alone may be that of another one tomorrow. */
export function identityKey({ netns, cookie }: NetnsIdentity): string {
  return `${netns} ${cookie}`;
}

function netnsOf(part: WorkloadPart): Netns {
  if ("pid" in part) return `file:///proc/${part.pid}/ns/net`;
  return `file://${"lab" in part ? labPlacePath(part.lab) : part.netns}`;
}

/** `web`, without the host. */
function workloadName(part: WorkloadPart): string {
  if ("lab" in part) return part.lab.split("/")[2] ?? part.lab;
  if ("pid" in part) return `pid-${part.pid}`;
  return part.netns.split("/").findLast((name) => name !== "") ?? part.netns;
}

class Tracked {
  readonly key: string;
  readonly name: string;
  users = 0;
  presence: Presence = { isThere: false, reason: "it has not been looked for yet" };
  readonly #world: World;
  readonly #kernel: Kernel;
  readonly #processes: Processes;
  readonly #hostGuard: HostGuard;
  readonly #log: Log;
  readonly #part: WorkloadPart;
  readonly #netns: Netns;
  readonly #signal = new Signal();
  readonly #listeners = new Set<() => void>();
  #task: Scope | undefined;
  #process: HeldProcess | undefined;
  #isGoneForEver = false;

  constructor({ world, kernel, processes, hostGuard, log }: WorkloadsOptions, part: WorkloadPart) {
    this.#world = world;
    this.#kernel = kernel;
    this.#processes = processes;
    this.#hostGuard = hostGuard;
    this.#log = log;
    this.#part = part;
    this.key = workloadKey(part);
    this.name = `${world.host}/${workloadName(part)}`;
    this.#netns = netnsOf(part);
  }

  start(): void {
    this.#world.scope.spawn(`look for workload ${this.key}`, (scope) => this.#run(scope));
  }

  stop(): void {
    const task = this.#task;
    this.#task = undefined;
    this.#letGo();
    if (task && !this.#world.scope.ended) this.#world.scope.spawn("forget a workload", () => task.end());
  }

  isCalled(netns: Netns): boolean {
    const { presence } = this;
    return netns === this.#netns || (presence.isThere && netns === presence.identity.netns);
  }

  isSameAs({ presence: other }: Tracked): boolean {
    const { presence } = this;
    return presence.isThere && other.isThere && isSame(presence, other);
  }

  look(): void {
    this.#signal.ring();
  }

  async changed(seen: Presence, scope: Scope): Promise<Presence> {
    while (isSame(seen, this.presence) && !scope.ended) {
      await new Promise<void>((resolve) => {
        const done = (): void => {
          this.#listeners.delete(done);
          forget();
          resolve();
        };
        this.#listeners.add(done);
        const forget = scope.onEnd(done);
      });
    }
    if (scope.ended)
      throw new NetloomError("CANCELLED", `wait for workload ${this.name}: nobody waits any more`);
    return this.presence;
  }

  async #run(scope: Scope): Promise<void> {
    const task = scope.child("looking");
    this.#task = task;
    try {
      for (let misses = 0; !task.ended && this.users > 0;) {
        const presence = await this.#find();
        misses = presence.isThere ? 0 : misses + 1;
        if (!isSame(presence, this.presence)) this.#tell(presence);
        if (this.#isGoneForEver) await this.#signal.wait(this.#world.clock, task, Infinity);
        else await this.#signal.wait(this.#world.clock, task, this.#pauseMs(misses));
      }
    } finally {
      this.#letGo();
      await task.end();
    }
  }

  #pauseMs(misses: number): number {
    if (misses > 0) return backoffMs(misses, 1, LOOKS);
    return this.#process ? CHECK_PROCESS_MS : CHECK_MS;
  }

  #tell(presence: Presence): void {
    this.presence = presence;
    for (const listener of this.#listeners) listener();
  }

  async #find(): Promise<Presence> {
    try {
      const found =
        "pid" in this.#part
          ? await this.#findProcess(this.#part.pid)
          : ({ isThere: true, identity: await this.#kernel.resolve(this.#netns) } as const);
      const error = found.isThere ? await this.#hostGuard.refusal(found.identity.netns) : undefined;
      return error ? absent(error) : found;
    } catch (error) {
      if (error instanceof NetloomError) return absent(error);
      this.#log.error("bug in the look for a workload", { workload: this.name }, error);
      // It says nothing of a workload that was there.
      return this.presence.isThere
        ? this.presence
        : absent(operatingError(`look for workload ${this.name}`, error));
    }
  }

  /** A process is held before it is looked at, and asked after: in between nobody else can have got its number. */
  async #findProcess(pid: number): Promise<Presence> {
    const held = (this.#process ??= await this.#processes.hold(pid));
    const identity = held.isAlive() ? await this.#kernel.resolve(this.#netns) : undefined;
    if (identity && held.isAlive()) return { isThere: true, identity };
    this.#letGo();
    // Another process with its number is another workload, however short this one was seen.
    this.#isGoneForEver = true;
    return { isThere: false, reason: `process ${pid} has ended` };
  }

  #letGo(): void {
    this.#process?.release();
    this.#process = undefined;
  }
}

function absent(error: NetloomError): Presence {
  return { isThere: false, reason: error.message, error };
}

function isSame(a: Presence, b: Presence): boolean {
  if (!a.isThere || !b.isThere)
    return a.isThere === b.isThere && !a.isThere && !b.isThere && a.reason === b.reason;
  return identityKey(a.identity) === identityKey(b.identity);
}
