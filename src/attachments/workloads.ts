/**
 * The workloads of a host: network namespaces and devices that come and go. One watch on the kernel tells of the end of
 * any namespace; what is not there is looked for until it comes.
 */
import type { Scope } from "../async/scope.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, KernelEvent } from "../kernel/kernel.ts";
import type { Processes } from "../kernel/processes.ts";
import type { PortCondition, WorkloadRef } from "../resolvers/resolver.ts";
import {
  identityKey,
  leadsTo,
  resolveWorkload,
  workloadKey,
  workloadLabel,
} from "../resolvers/workload-ref.ts";
import { type Presence, WorkloadWatch } from "../resolvers/workload-watch.ts";
import type { World } from "../world/world.ts";
import type { WorkloadGuard } from "./parts.ts";
import { keepOn } from "./keep-on.ts";

interface Tracked {
  readonly label: string;
  readonly watch: WorkloadWatch;
  /** Of a port: the device. */
  readonly device: string | undefined;
  users: number;
}

/** One workload, for as long as somebody is interested in it. */
export interface Workload {
  /** On this host: `web`. */
  readonly label: string;
  /** `alpha/web`: what paths of connections call it. */
  readonly name: string;
  readonly presence: Presence;
  /** Resolves as soon as `presence` is another one than `seen`. */
  changed(seen: Presence, scope: Scope): Promise<Presence>;
  /** How a port is now. */
  readonly condition: PortCondition | undefined;
  /** Likewise, or as soon as it is in another condition than `condition`. */
  turned(seen: Presence, condition: PortCondition | undefined, scope: Scope): Promise<void>;
  release(): void;
}

export interface WorkloadsOptions {
  readonly world: World;
  readonly kernel: Kernel;
  readonly processes: Processes;
  readonly hostGuard: WorkloadGuard;
}

export class Workloads {
  readonly #options: WorkloadsOptions;
  readonly #tracked = new Map<string, Tracked>();
  /** Ends the listening to devices. */
  #devices: Scope | undefined;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    options.world.scope.spawn("watch namespaces", (scope) =>
      keepOn(options.world, "watch namespaces", scope, (task) => this.#listen(task)),
    );
  }

  /** Begins to look for it. */
  use(ref: WorkloadRef): Workload {
    const key = workloadKey(ref);
    const known = this.#tracked.get(key);
    if (known) return this.#handOut(known);
    const label = workloadLabel(ref);
    const device = leadsTo(ref) === "port" ? label : undefined;
    const tracked = { label, watch: this.#watch(ref, label), device, users: 0 };
    this.#tracked.set(key, tracked);
    this.#heedDevices();
    const workload = this.#handOut(tracked);
    tracked.watch.start();
    return workload;
  }

  /**
   * What tells a workload from all others, however it is called; `undefined` if it is not there. INTERNAL if the kernel cannot
   * be asked.
   */
  async identify(ref: WorkloadRef): Promise<string | undefined> {
    const presence = this.#tracked.get(workloadKey(ref))?.watch.presence;
    if (presence?.isThere) return identityKey(presence.found);
    try {
      return identityKey(await resolveWorkload(ref, this.#options));
    } catch (error) {
      if (error instanceof NetloomError) return undefined;
      throw error;
    }
  }

  #watch(ref: WorkloadRef, label: string): WorkloadWatch {
    const { world, hostGuard } = this.#options;
    const name = `${world.host}/${label}`;
    return new WorkloadWatch(
      {
        world,
        outside: this.#options,
        refusal: async (found) =>
          found.type === "netns" ? await hostGuard.refusal(found.identity.netns) : undefined,
      },
      { ref, name },
    );
  }

  #handOut(tracked: Tracked): Workload {
    const { label, watch } = tracked;
    let isHeld = true;
    tracked.users += 1;
    return {
      label,
      name: watch.name,
      get presence() {
        return watch.presence;
      },
      get condition() {
        return watch.condition;
      },
      changed: (seen, scope) => watch.changed(seen, scope),
      turned: (seen, condition, scope) => watch.turned(seen, condition, scope),
      release: () => {
        if (!isHeld) return;
        isHeld = false;
        tracked.users -= 1;
        if (tracked.users > 0) return;
        this.#tracked.delete(watch.key);
        watch.stop();
        this.#heedDevices();
      },
    };
  }

  /** Devices are listened to only while one of them is a workload: the kernel tells of each several times. */
  #heedDevices(): void {
    const { scope } = this.#options.world;
    const isNeeded = [...this.#tracked.values()].some(({ device }) => device !== undefined);
    const listening = this.#devices;
    if (isNeeded === (listening !== undefined) || scope.ended) return;
    this.#devices = isNeeded ? scope.child("watch devices") : undefined;
    if (listening) scope.spawn("listen to devices no more", () => listening.end());
    const task = this.#devices;
    if (task)
      task.spawn("watch devices", (own) =>
        keepOn(this.#options.world, "watch devices", own, (attempt) => this.#listenToDevices(attempt)),
      );
  }

  async #listenToDevices(scope: Scope): Promise<void> {
    const events = this.#options.kernel.watch("links");
    const look = (name?: string): void => {
      for (const { device, watch } of this.#tracked.values())
        if (device !== undefined && (name === undefined || name === device)) watch.look();
    };
    look();
    for await (const event of events.within(scope)) {
      if (event.type === "resync") look();
      else if (event.type === "link" && event.netns === "host")
        for (const name of new Set([event.link, event.formerly ?? event.link])) look(name);
    }
  }

  async #listen(scope: Scope): Promise<void> {
    const events = this.#options.kernel.watch("namespaces");
    // What has come and gone before is not told.
    for (const { watch } of this.#tracked.values()) watch.look();
    for await (const event of events.within(scope)) this.#hear(event);
  }

  #hear(event: KernelEvent): void {
    if (event.type !== "netns-removed" && event.type !== "resync") return;
    const all = [...this.#tracked.values()].map(({ watch }) => watch);
    // The kernel names a namespace as somebody has called it first: here it may have other names, or none that is known.
    const named = event.type === "resync" ? [] : all.filter((each) => each.isCalled(event.netns));
    const isMeant = (each: WorkloadWatch): boolean => named.some((one) => one === each || one.isSameAs(each));
    for (const each of named.length > 0 ? all.filter(isMeant) : all) each.look();
  }
}
