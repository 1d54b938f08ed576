/**
 * Repairs wires: objects that others remove, rename, change or flush are restored.
 *
 * - The kernel reports events. If one contradicts a plan, the plan's owner is checked a moment later, in its turn: requests
 *   and removals in between count, and a burst of events causes one check.
 * - If an event does not say which object of a namespace was lost, the whole namespace is checked with one query.
 * - Every 30 s, and after lost notifications, every namespace with objects of Netloom is checked.
 *
 * Only planned objects are repaired. Objects of others on the same device are not touched.
 */
import { type Backoff, backoffMs } from "../../async/backoff.ts";
import type { Scope } from "../../async/scope.ts";
import { Signal } from "../../async/signal.ts";
import { keepOn } from "../../attachments/keep-on.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Reconciler } from "../../forwarder/reconcile/reconcile.ts";
import { survey } from "../../forwarder/reconcile/survey.ts";
import type { Kernel, KernelEvent, Netns } from "../../kernel/kernel.ts";
import type { World } from "../../world/world.ts";
import { doubtOf, Doubts, END_GONE, SEEN } from "./doubts.ts";
import { Mends } from "./mends.ts";
import { Namesakes } from "./namesakes.ts";

/** Time to gather events before one check. */
const GATHER_MS = 50;
/** Pause between two checks of namespaces that events caused. */
const LOOK_PAUSE_MS = 300;
const FULL_LOOK_MS = 30_000;
/** Total time of the pauses in a full check, one after each namespace. They keep a host with thousands of wires responsive. */
const FULL_LOOK_SPREAD_MS = 15_000;
const LONGEST_PAUSE_MS = 100;
/** Pause between queries for the devices of many wires in one namespace. */
const SLICE_PAUSE_MS = 30;
const AFTER_FAILURE: Readonly<Backoff> = { firstMs: 500, lastMs: 30_000 };

export interface FollowOptions {
  readonly world: World;
  readonly kernel: Kernel;
  readonly reconciler: Reconciler;
  /** Called after a wire was repaired. */
  readonly onMended: () => void;
}

/** The reason to check an owner: an event that contradicts its plan and may be outdated, or a difference that a check has seen. */
type Cause = { readonly event: KernelEvent; readonly netns: Netns } | "seen";

/** The known changes of wires by others: their repairs, and the open doubts. */
export interface Drift {
  readonly mends: Mends;
  readonly doubts: Doubts;
}

/** Repairs wires until `World.scope` ends. */
export function followWires(options: FollowOptions): Drift {
  return new Follower(options).start();
}

class Follower {
  readonly #options: FollowOptions;
  readonly #mends: Mends;
  readonly #namesakes: Namesakes;
  readonly #doubts = new Doubts();
  readonly #causes = new Map<string, Cause[]>();
  readonly #places = new Set<Netns>();
  readonly #placeSignal = new Signal();
  readonly #fullSignal = new Signal();
  /** Wires that another program changes again after each repair. */
  readonly #fights = new Set<string>();

  constructor(options: FollowOptions) {
    const { world, kernel, reconciler } = options;
    this.#options = options;
    this.#mends = new Mends(world.clock);
    this.#namesakes = new Namesakes(kernel, reconciler.planned);
  }

  start(): Drift {
    const { world } = this.#options;
    const keep = (what: string, task: (scope: Scope) => Promise<void>): void =>
      world.scope.spawn(what, (scope) => keepOn(world, what, scope, task));
    keep("watch for changes of wires", (scope) => this.#listen(scope));
    keep("check namespaces that have lost an object", (scope) => this.#lookAtPlaces(scope));
    keep("check all namespaces", (scope) => this.#lookAtAll(scope));
    return { mends: this.#mends, doubts: this.#doubts };
  }

  async #listen(scope: Scope): Promise<void> {
    const events = this.#options.kernel.watch("everything");
    for await (const event of events.within(scope)) {
      if (event.type === "resync") this.#fullSignal.ring();
      else if (event.type === "netns-removed") this.#namesakes.forget(event.netns);
      else await this.#hear(event);
    }
  }

  async #hear(event: Exclude<KernelEvent, { readonly type: "resync" }>): Promise<void> {
    const { planned } = this.#options.reconciler;
    // The host's routes change for many reasons. Those of wires are checked in the full check.
    if (event.type === "route" && event.netns === "host") return;
    for (const netns of await this.#namesakes.of(event.netns)) {
      if ("link" in event && event.link !== undefined)
        for (const owner of planned.deniedBy(event, netns)) this.#doubt(owner, { event, netns });
      else this.#look(netns);
    }
  }

  #look(netns: Netns): void {
    this.#places.add(netns);
    this.#placeSignal.ring();
  }

  async #lookAtPlaces(scope: Scope): Promise<void> {
    const { clock } = this.#options.world;
    while (!scope.ended) {
      await this.#placeSignal.wait(clock, scope, Infinity);
      if (scope.ended) return;
      await clock.sleep(GATHER_MS, scope);
      const places = [...this.#places];
      this.#places.clear();
      for (const netns of places) await this.#survey(netns, scope);
      await clock.sleep(LOOK_PAUSE_MS, scope);
    }
  }

  async #lookAtAll(scope: Scope): Promise<void> {
    const { world, reconciler } = this.#options;
    while (!scope.ended) {
      await this.#fullSignal.wait(world.clock, scope, FULL_LOOK_MS);
      if (scope.ended) return;
      const places = [...reconciler.planned.namespaces()];
      for (const netns of places) {
        await this.#survey(netns, scope);
        await world.clock.sleep(Math.min(LONGEST_PAUSE_MS, FULL_LOOK_SPREAD_MS / places.length), scope);
      }
    }
  }

  async #survey(netns: Netns, scope: Scope): Promise<void> {
    const { world, kernel, reconciler } = this.#options;
    try {
      const drifted = await survey(kernel, reconciler.planned, netns, () =>
        world.clock.sleep(SLICE_PAUSE_MS, scope),
      );
      for (const owner of drifted) this.#doubt(owner, "seen");
    } catch (error) {
      if (!(error instanceof NetloomError) || scope.ended) throw error;
      world.log.debug("a namespace cannot be checked; the next full check includes it", {
        netns,
        error: error.message,
      });
    }
  }

  /** Starts the check of an owner. Only one task at a time works on an owner. */
  #doubt(owner: string, cause: Cause): void {
    this.#doubts.add(owner, cause === "seen" ? SEEN : doubtOf(cause.event));
    const causes = this.#causes.get(owner);
    if (causes) {
      causes.push(cause);
      return;
    }
    this.#causes.set(owner, [cause]);
    const { scope } = this.#options.world;
    if (!scope.ended) scope.spawn(`look after wire ${owner}`, (task) => this.#lookAfter(owner, task));
  }

  async #lookAfter(owner: string, scope: Scope): Promise<void> {
    const { world } = this.#options;
    const what = `repair wire ${owner}`;
    try {
      for (let isDone = false; !isDone && !scope.ended;) {
        await this.#pause(owner, scope);
        isDone = await this.#mend(owner, what, scope);
      }
    } finally {
      world.retries.over(what);
      this.#causes.delete(owner);
    }
  }

  async #pause(owner: string, scope: Scope): Promise<void> {
    const { world } = this.#options;
    const waitMs = this.#mends.waitMs(owner);
    if (waitMs > 0 && !this.#fights.has(owner)) {
      this.#fights.add(owner);
      world.log.warn(
        "another program changes a wire after each repair: it is repaired only once in a while",
        {
          wire: owner,
          last: this.#mends.of(owner)?.what ?? "",
        },
      );
    } else if (waitMs === 0) this.#fights.delete(owner);
    await world.clock.sleep(Math.max(GATHER_MS, waitMs), scope);
  }

  /** Repairs the wire of an owner. False if another check is needed. */
  async #mend(owner: string, what: string, scope: Scope): Promise<boolean> {
    const { world, reconciler, onMended } = this.#options;
    try {
      const done = await reconciler.mend(owner, () => this.#isDue(owner));
      const news = this.#mends.note(owner, done);
      if (news !== undefined)
        world.log.info("a wire was changed by others: it is repaired", { wire: owner, what: news });
      if (done.length > 0) onMended();
    } catch (error) {
      if (!(error instanceof NetloomError) || scope.ended) throw error;
      // The namespace is gone. Either the wire is closed because its workload died, or the next full check finds it again.
      if (error.code === "NOT_FOUND") {
        this.#doubts.add(owner, END_GONE);
        return true;
      }
      const failures = world.retries.failed(what, error);
      if (failures === 1)
        world.log.warn("a wire was changed by others, and cannot be repaired", {
          wire: owner,
          error: error.message,
        });
      this.#causes.get(owner)?.push("seen");
      const fraction = world.random.fraction(what, failures);
      await world.clock.sleep(backoffMs(failures, fraction, AFTER_FAILURE), scope);
    }
    // Events that came during the repair need another check.
    const isDone = (this.#causes.get(owner) ?? []).length === 0;
    if (isDone) this.#doubts.clear(owner);
    return isDone;
  }

  /** Called in the owner's turn: whether an event may still be true. */
  #isDue(owner: string): boolean {
    const { planned } = this.#options.reconciler;
    const causes = this.#causes.get(owner)?.splice(0) ?? [];
    return causes.some((cause) => cause === "seen" || planned.isDenied(owner, cause.event, cause.netns));
  }
}
