/**
 * The workloads of a host: network namespaces and devices that come and go. One watch on the kernel reports the end of
 * any namespace; a missing workload is looked for until it appears.
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
  /** The device of a port; `undefined` for a namespace. */
  readonly device: string | undefined;
  users: number;
}

/** One workload, tracked until the last user releases it. */
export interface Workload {
  /** Name on this host: `web`. */
  readonly label: string;
  /** Name in the paths of connections: `alpha/web`. */
  readonly name: string;
  readonly presence: Presence;
  /** Resolves as soon as `presence` differs from `seen`. */
  changed(seen: Presence, scope: Scope): Promise<Presence>;
  /** The current condition of a port; `undefined` for a namespace. */
  readonly condition: PortCondition | undefined;
  /** Resolves as soon as `presence` differs from `seen`, or the port's condition from `condition`. */
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
  /** The scope of the watch on devices; `undefined` while there is no watch. */
  #devices: Scope | undefined;

  constructor(options: WorkloadsOptions) {
    this.#options = options;
    options.world.scope.spawn("watch namespaces", (scope) =>
      keepOn(options.world, "watch namespaces", scope, (task) => this.#listen(task)),
    );
  }

  /** Starts to track a workload. */
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
   * The identity of a workload, equal for all of its names; `undefined` if the workload does not exist or cannot be
   * resolved.
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

  /** Watches devices only while a workload is a port: the kernel reports each device several times. */
  #heedDevices(): void {
    const { scope } = this.#options.world;
    const isNeeded = [...this.#tracked.values()].some(({ device }) => device !== undefined);
    const listening = this.#devices;
    if (isNeeded === (listening !== undefined) || scope.ended) return;
    this.#devices = isNeeded ? scope.child("watch devices") : undefined;
    if (listening) scope.spawn("stop watching devices", () => listening.end());
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
    // The watch does not report earlier changes.
    for (const { watch } of this.#tracked.values()) watch.look();
    for await (const event of events.within(scope)) this.#hear(event);
  }

  #hear(event: KernelEvent): void {
    if (event.type !== "netns-removed" && event.type !== "resync") return;
    const all = [...this.#tracked.values()].map(({ watch }) => watch);
    // The event has the name under which the namespace was first used: workloads may know it by other names, or not at all.
    const named = event.type === "resync" ? [] : all.filter((each) => each.isCalled(event.netns));
    const isMeant = (each: WorkloadWatch): boolean => named.some((one) => one === each || one.isSameAs(each));
    for (const each of named.length > 0 ? all.filter(isMeant) : all) each.look();
  }
}
