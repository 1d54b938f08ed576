/** Watches one name: reports when its workload appears, disappears, or is replaced by another. */
import { type Backoff, backoffMs } from "../async/backoff.ts";
import { Signal } from "../async/signal.ts";
import type { Scope } from "../async/scope.ts";
import { NetloomError, operatingError } from "../errors/errors.ts";
import type { Netns, NetnsIdentity } from "../kernel/kernel.ts";
import type { World } from "../world/world.ts";
import type { Found, Lookout, Outside, PortCondition, WorkloadRef } from "./resolver.ts";
import { identityKey, watchWorkload, workloadKey } from "./workload-ref.ts";

/** The pause between looks for a missing workload: at first, and at most. */
const LOOKS: Readonly<Backoff> = { firstMs: 100, lastMs: 2_000 };

/** A workload that exists: the same object as long as it is the same workload. */
export interface There {
  readonly isThere: true;
  readonly found: Found;
}

/** Whether a workload exists. */
export type Presence =
  | There
  | { readonly isThere: false; readonly reason: string; readonly error?: NetloomError };

export interface WorkloadWatchOptions {
  readonly world: Pick<World, "clock" | "scope" | "log">;
  readonly outside: Outside;
  /** The reason why a found thing is not a valid workload here. Default: everything is valid. */
  readonly refusal?: (found: Found) => Promise<NetloomError | undefined>;
}

export class WorkloadWatch {
  readonly key: string;
  /** `alpha/web` */
  readonly name: string;
  presence: Presence = { isThere: false, reason: "the first look has not finished yet" };
  readonly #options: WorkloadWatchOptions;
  readonly #lookout: Lookout;
  /** Names under which the kernel was queried for the workload's namespace. */
  readonly #called = new Set<Netns>();
  #condition: PortCondition | undefined;
  readonly #signal = new Signal();
  readonly #listeners = new Set<() => void>();
  #task: Scope | undefined;
  #isStopped = false;

  constructor(
    options: WorkloadWatchOptions,
    { ref, name }: { readonly ref: WorkloadRef; readonly name: string },
  ) {
    const { kernel, processes } = options.outside;
    this.#options = options;
    this.key = workloadKey(ref);
    this.name = name;
    const resolve = async (netns: Netns): Promise<NetnsIdentity> => {
      this.#called.add(netns);
      return await kernel.resolve(netns);
    };
    const devices: Outside["kernel"]["devices"] = (queries) => kernel.devices(queries);
    this.#lookout = watchWorkload(ref, { processes, kernel: { devices, resolve } });
  }

  /** The present state of the port; `undefined` for a namespace, or if the workload does not exist. */
  get condition(): PortCondition | undefined {
    return this.presence.isThere ? this.#condition : undefined;
  }

  start(): void {
    this.#options.world.scope.spawn(`look for workload ${this.key}`, (scope) => this.#run(scope));
  }

  stop(): void {
    const task = this.#task;
    const { scope } = this.#options.world;
    this.#isStopped = true;
    this.#task = undefined;
    this.#lookout.close();
    if (task && !scope.ended) scope.spawn("forget a workload", () => task.end());
  }

  /** Whether the kernel may mean the workload's namespace by `netns`. */
  isCalled(netns: Netns): boolean {
    const { presence } = this;
    return this.#called.has(netns) || (presence.isThere && netns === presence.found.identity.netns);
  }

  isSameAs({ presence: other }: WorkloadWatch): boolean {
    const { presence } = this;
    return presence.isThere && other.isThere && isSame(presence, other);
  }

  /** Looks now. */
  look(): void {
    this.#signal.ring();
  }

  /** Resolves as soon as `presence` differs from `seen`. CANCELLED if `scope` ends before. */
  async changed(seen: Presence, scope: Scope): Promise<Presence> {
    await this.#until(scope, () => !isSame(seen, this.presence));
    return this.presence;
  }

  /**
   * Resolves as soon as `presence` differs from `seen`, or a port's condition from `condition`. CANCELLED if `scope` ends before.
   */
  async turned(seen: Presence, condition: PortCondition | undefined, scope: Scope): Promise<void> {
    const isSeen = (): boolean => isSame(seen, this.presence) && isAlike(condition, this.#condition);
    await this.#until(scope, () => !isSeen());
  }

  async #until(scope: Scope, isDue: () => boolean): Promise<void> {
    while (!isDue() && !scope.ended) {
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
      throw new NetloomError("CANCELLED", `wait for workload ${this.name}: the caller has left`);
  }

  async #run(scope: Scope): Promise<void> {
    const { clock } = this.#options.world;
    const task = scope.child("looking");
    this.#task = task;
    try {
      for (let misses = 0; !task.ended && !this.#isStopped;) {
        const presence = await this.#find();
        misses = presence.isThere ? 0 : misses + 1;
        const condition =
          presence.isThere && presence.found.type === "port" ? presence.found.condition : undefined;
        const isAnother = !isSame(presence, this.presence);
        if (isAnother || !isAlike(condition, this.#condition)) {
          this.#condition = condition;
          this.#tell(isAnother ? presence : this.presence);
        }
        await this.#signal.wait(clock, task, this.#pauseMs(misses));
      }
    } finally {
      this.#lookout.close();
      await task.end();
    }
  }

  #pauseMs(misses: number): number {
    if (this.#lookout.isOver) return Infinity;
    return misses === 0 ? this.#lookout.checkMs : backoffMs(misses, 1, LOOKS);
  }

  #tell(presence: Presence): void {
    this.presence = presence;
    for (const listener of this.#listeners) listener();
  }

  async #find(): Promise<Presence> {
    const { refusal } = this.#options;
    try {
      const found = await this.#lookout.look();
      const error = await refusal?.(found);
      return error ? { isThere: false, reason: error.message, error } : { isThere: true, found };
    } catch (error) {
      if (error instanceof NetloomError) {
        // The end of a workload is not a failure.
        return { isThere: false, reason: error.message, ...(!this.#lookout.isOver && { error }) };
      }
      this.#options.world.log.error("bug in the look for a workload", { workload: this.name }, error);
      // A bug does not mean that an existing workload is gone.
      if (this.presence.isThere) return this.presence;
      const failure = operatingError(`look for workload ${this.name}`, error);
      return { isThere: false, reason: failure.message, error: failure };
    }
  }
}

function isSame(a: Presence, b: Presence): boolean {
  if (!a.isThere || !b.isThere)
    return a.isThere === b.isThere && !a.isThere && !b.isThere && a.reason === b.reason;
  return identityKey(a.found) === identityKey(b.found);
}

function isAlike(a: PortCondition | undefined, b: PortCondition | undefined): boolean {
  return a?.mtuBytes === b?.mtuBytes && a?.whyDown === b?.whyDown;
}
