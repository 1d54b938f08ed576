/**
 * Keeps the wires of one host in its kernel.
 *
 * A new wire is added blindly. Everything else goes by observation: observe the links of the wire, take the difference
 * to the plan, apply it. So a wire that an earlier process made, one that somebody tampered with, and one that was
 * half made when the worker died are the same case.
 */
import { NetloomError } from "../errors/errors.ts";
import type { Kernel, KernelObject, Netns, Operation } from "../kernel/kernel.ts";
import { batches, diff } from "./diff.ts";
import { explain, refuse } from "./explain.ts";
import {
  attractionsOf,
  claimsOf,
  endsOf,
  identityOf,
  isDevice,
  isMarked,
  isPair,
  linkKeys,
  linksOf,
} from "../kernel/objects.ts";
import { Observer } from "./observe.ts";
import { groupByOwner } from "./owner.ts";
import type { Claims } from "./claims.ts";
import { plan, type PlanOptions } from "./plan.ts";
import { type Plan } from "../kernel/plan.ts";
import { KeyedMutex } from "../async/keyed-mutex.ts";
import { validateWire } from "./validate.ts";
import type { Wire } from "./wire.ts";

/** What is, or may be, in the kernel for one owner. */
interface Holding {
  readonly objects: readonly KernelObject[];
  /** Only found by `adopt`; asked for, but a change did not work out; or all there as asked for, when last heard of. */
  readonly state: "found" | "unsure" | "made";
}

/**
 * Brings wires into the kernel of one host and out of it again. Two calls for the same wire run one after the other.
 * Every error is a `NetloomError` that says which wire, what was attempted, why it failed, and what to do.
 */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #options: PlanOptions;
  readonly #claims: Claims | undefined;
  readonly #observer: Observer;
  readonly #turns = new KeyedMutex<string>();
  readonly #holdings = new Map<string, Holding>();
  /** Found by `adopt` without a name of an owner. */
  #orphans: readonly KernelObject[] = [];

  /** `claims` is told what is in the kernel, and what is not any more. */
  constructor(kernel: Kernel, options: PlanOptions = {}, claims?: Claims) {
    this.#kernel = kernel;
    this.#options = options;
    this.#claims = claims;
    this.#observer = new Observer(kernel);
  }

  /** Connection ids of all wires that are, or may be, in the kernel: applied or adopted, and not removed. */
  owners(): string[] {
    return [...this.#holdings.keys()];
  }

  /**
   * Makes the wire, or brings it to this form with as little change as possible; what is right is left alone. If it
   * fails, a new wire leaves nothing behind, and the next call works from what is there. INVALID_ARGUMENT for a wire
   * that cannot be planned, ALREADY_EXISTS for a name or a VNI that somebody else has, NOT_FOUND for a namespace that
   * is gone.
   */
  async apply(wire: Wire): Promise<Plan> {
    const what = `make wire ${wire.connectionId}`;
    const problems = validateWire(wire);
    if (problems.length > 0) throw refuse(what, problems);
    const wanted = plan(wire, this.#options);
    return await this.#turns.take([wanted.owner], async () => {
      try {
        await this.#bring(wanted);
        this.#claims?.settle(wanted.owner);
        return wanted;
      } catch (error) {
        throw await explain(what, error, wanted, this.#observer);
      }
    });
  }

  /**
   * Before several wires are applied: a name, a tunnel, an address or a route that passes from one of them to another is
   * given up by the one that has it. A wire that stays as it is loses nothing.
   */
  async makeRoom(wires: readonly Wire[]): Promise<void> {
    const plans = wires.map((wire) => plan(wire, this.#options));
    const claims = new Map<string, Set<string>>();
    for (const { owner, objects } of plans)
      for (const { key } of objects.flatMap(claimsOf))
        claims.set(key, (claims.get(key) ?? new Set()).add(owner));
    const isClaimedFrom = (owner: string, object: KernelObject): boolean =>
      claimsOf(object).some(({ key }) => [...(claims.get(key) ?? [])].some((other) => other !== owner));
    await Promise.all(
      plans.map(({ owner, objects }) =>
        this.#turns.take([owner], async () => {
          const held = this.#holdings.get(owner)?.objects ?? [];
          const staying = whatStays(held, objects);
          if (!held.some((object) => !staying.includes(object) && isClaimedFrom(owner, object))) return;
          this.#holdings.set(owner, { objects: held, state: "unsure" });
          try {
            await this.#converge({ owner, objects: staying }, held);
          } catch (error) {
            throw await explain(`make room for other wires beside wire ${owner}`, error);
          }
        }),
      ),
    );
  }

  /** Removes all of a wire, and nothing that has become another's. An unknown wire is a success. */
  async remove(connectionId: string): Promise<void> {
    const taken = this.#claims?.holdingOf(connectionId);
    await this.#turns.take([connectionId], async () => {
      const holding = this.#holdings.get(connectionId);
      if (!holding) return;
      try {
        await this.#takeAway(connectionId, holding);
        this.#holdings.delete(connectionId);
        this.#claims?.release(connectionId, taken);
      } catch (error) {
        throw await explain(`remove wire ${connectionId}`, error);
      }
    });
  }

  /**
   * Takes over what an earlier process left in `host` and in `namespaces`, and changes nothing; a namespace that is gone
   * is passed over. Returns the connection ids found. Call it before the first `apply`.
   */
  async adopt(namespaces: readonly Netns[]): Promise<string[]> {
    const groups = groupByOwner(await this.#observer.everything(["host", ...namespaces]));
    const found: string[] = [];
    for (const [owner, objects] of groups) {
      if (owner === undefined) this.#orphans = objects;
      else if (!this.#holdings.has(owner)) {
        this.#holdings.set(owner, { objects, state: "found" });
        await this.#claims?.adopt(owner, objects);
        found.push(owner);
      }
    }
    return found;
  }

  /** What is there now of a wire that was found. */
  async look(connectionId: string): Promise<readonly KernelObject[]> {
    const holding = this.#holdings.get(connectionId);
    return holding ? await this.#observer.ofOwner(connectionId, holding.objects) : [];
  }

  /**
   * The same in one namespace, later on: of wires that are not known to be made, those whose pair leads to a namespace that
   * `isOwn`. Returns their objects, with those found before.
   */
  async adoptIn(
    netns: Netns,
    isOwn: (netns: Netns) => boolean,
  ): Promise<ReadonlyMap<string, readonly KernelObject[]>> {
    const found = new Map<string, readonly KernelObject[]>();
    for (const [owner, objects] of groupByOwner(await this.#observer.everything([netns]))) {
      if (owner === undefined) continue;
      const known = this.#holdings.get(owner);
      const others = objects.filter(isDevice).flatMap((device) => endsOf(device).map((end) => end.netns));
      if ((known && known.state !== "found") || !others.every((each) => each === netns || isOwn(each)))
        continue;
      // The pair may have been seen from its other end, without a name for this namespace.
      const before = (known?.objects ?? []).filter((each) => !isPair(each));
      const all = [...objects, ...before];
      this.#holdings.set(owner, { objects: all, state: "found" });
      await this.#claims?.adopt(owner, all);
      found.set(owner, all);
    }
    return found;
  }

  /**
   * Removes what `adopt` found and no `apply` has asked for since, except for wires that `isWanted` says will be asked
   * for. Returns the connection ids of wires removed.
   */
  async sweep(isWanted: (connectionId: string) => boolean = () => false): Promise<string[]> {
    const unclaimed = [...this.#holdings].flatMap(([owner, holding]) =>
      holding.state === "found" && !isWanted(owner) ? [owner] : [],
    );
    for (const owner of unclaimed) await this.remove(owner);
    const claimed = new Set(
      [...this.#holdings.values()].flatMap(({ objects }) => objects.filter(isDevice).flatMap(linkKeys)),
    );
    const orphans = await this.#observer.orphans(this.#orphans, claimed);
    try {
      await this.#apply(diff([], orphans));
    } catch (error) {
      throw await explain("remove what a crash has left", error);
    }
    this.#orphans = [];
    return unclaimed;
  }

  async #bring(wanted: Plan): Promise<void> {
    const known = this.#holdings.get(wanted.owner);
    if (!known && (await this.#addNew(wanted))) return;
    const before = known ? await this.#observer.sameNames(known.objects, wanted.objects) : [];
    // Until it has worked out, some of both may be there.
    this.#holdings.set(wanted.owner, { objects: [...before, ...wanted.objects], state: "unsure" });
    try {
      await this.#converge(wanted, before);
    } catch (error) {
      if (!known) await this.#clean(wanted);
      throw error;
    }
    this.#hold(wanted);
  }

  /** False if something is in the way, or the carrier died: then it takes a look to go on. */
  async #addNew(wanted: Plan): Promise<boolean> {
    try {
      await this.#kernel.apply(wanted.objects.map((object): Operation => ({ verb: "add", object })));
    } catch (error) {
      if (hasCode(error, "ALREADY_EXISTS", "ABORTED")) return false;
      throw error;
    }
    this.#hold(wanted);
    return true;
  }

  #hold(wanted: Plan): void {
    this.#holdings.set(wanted.owner, { objects: wanted.objects, state: "made" });
  }

  /**
   * What was made and bears the owner's name goes without a look at it, as `diff` would have it go: all of it hangs on its
   * devices. What hangs on none, a rule, somebody may have changed.
   */
  async #takeAway(owner: string, { state, objects }: Holding): Promise<void> {
    if (state === "made" && objects.filter(isMarked).every((object) => linksOf(object).length > 0)) {
      try {
        const gone = objects.filter((object) => isDevice(object) || attractionsOf(object).length > 0);
        await this.#apply(gone.toReversed().map((object) => ({ verb: "remove", object })));
        return;
      } catch (error) {
        if (!hasCode(error, "ABORTED")) throw error;
      }
    }
    await this.#converge({ owner, objects: [] }, objects);
  }

  /** From whatever is there of the owner to the plan; once more if the carrier dies on the way. */
  async #converge(wanted: Plan, before: readonly KernelObject[]): Promise<void> {
    const attempt = async (): Promise<void> => {
      const observed = await this.#observer.ofOwner(wanted.owner, [...before, ...wanted.objects]);
      await this.#apply(diff(wanted.objects, observed));
    };
    try {
      await attempt();
    } catch (error) {
      if (!hasCode(error, "ABORTED")) throw error;
      await attempt();
    }
  }

  /** After a wire that could not be made. If even that fails the holding stays, for `remove` or the next `apply`. */
  async #clean(wanted: Plan): Promise<void> {
    try {
      await this.#converge({ owner: wanted.owner, objects: [] }, wanted.objects);
      this.#holdings.delete(wanted.owner);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#holdings.set(wanted.owner, { objects: wanted.objects, state: "unsure" });
    }
  }

  async #apply(operations: readonly Operation[]): Promise<void> {
    for (const batch of batches(operations)) await this.#kernel.apply(batch);
  }
}

/** What of `held` is also wanted, and on a device that is. */
function whatStays(held: readonly KernelObject[], wanted: readonly KernelObject[]): readonly KernelObject[] {
  const identities = new Set(wanted.map(identityOf));
  const staying = held.filter((object) => identities.has(identityOf(object)));
  const links = new Set(staying.filter(isDevice).flatMap(linkKeys));
  return staying.filter((object) => {
    if (isDevice(object)) return true;
    const [carrier] = linksOf(object);
    return carrier === undefined ? links.size > 0 : links.has(carrier);
  });
}

function hasCode(error: unknown, ...codes: readonly NetloomError["code"][]): boolean {
  return error instanceof NetloomError && codes.includes(error.code);
}
