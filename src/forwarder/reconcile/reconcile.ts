/**
 * Keeps plans in the kernel of one host: wires, or the underlay of a lab.
 *
 * A new plan is added without looking first. Everything else goes by observation: observe the links of the plan, compute the
 * difference, apply it. So a plan of an earlier process, a plan that somebody tampered with, and a plan that was half made when
 * the worker died are the same case.
 *
 * Shared objects are made with the first plan and removed with the last. Only applied plans tell who holds them: after a restart
 * they are found without holders, and stay until `sweep`, so that their holders have time to ask again.
 */
import { claimedBy, removals, whatStays } from "./leaving.ts";
import type { Span } from "../../observe/trace.ts";
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import { hasCode, NetloomError } from "../../errors/errors.ts";
import type { Kernel, KernelObject, LinkEnd, Netns, Operation } from "../../kernel/kernel.ts";
import { endsOf, identityOf, isDevice, isMarked, isPair, linkKeys, linksOf } from "../../kernel/objects.ts";
import { objectsOf, ownOf, type Owners, type Plan } from "../../kernel/plan.ts";
import type { Claims } from "../claims/claims.ts";
import { applyBatches } from "./apply-batches.ts";
import { diff } from "./diff.ts";
import { explain } from "./explain.ts";
import { type HeldOwner, madePlan } from "./held-owner.ts";
import { nameBack } from "./name-back.ts";
import { Observer } from "./observe.ts";
import { groupByOwner } from "./owner.ts";
import { Planned } from "./planned.ts";
import { SharedBook } from "./shared-book.ts";
import { WIRES } from "./wire-owners.ts";

export interface ReconcilerOptions {
  /** The kind of owner. Default: wires. */
  readonly owners?: Owners;
  /** Gets told which claims are in the kernel and which are gone. */
  readonly claims?: Claims;
}

/**
 * Brings plans into the kernel of one host and removes them. Two calls for the same owner, or for the same shared object, run one
 * after the other. Every error is a `NetloomError` that names the owner, the attempt, the cause and the remedy.
 */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #owners: Owners;
  readonly #claims: Claims | undefined;
  readonly #observer: Observer;
  readonly #turns = new KeyedMutex<string>();
  /** The span of an owner's present turn, if tracing is on. */
  readonly #spans = new Map<string, Span>();
  readonly #holdings = new Map<string, HeldOwner>();
  readonly #shared = new SharedBook();
  /** The plans that were made, by place. */
  readonly planned: Planned;
  /** `sweep` was called: shared objects without a holder have no time left. */
  #isGraceOver = false;
  /** Objects that `adopt` found without an owner's name. */
  #orphans: readonly KernelObject[] = [];

  constructor(kernel: Kernel, { owners = WIRES, claims }: ReconcilerOptions = {}) {
    this.#kernel = kernel;
    this.#owners = owners;
    this.#claims = claims;
    this.#observer = new Observer(kernel, owners);
    this.planned = new Planned(owners);
  }

  /** Owners of all plans that are, or may be, in the kernel: applied or adopted, and not removed. */
  owners(): string[] {
    return [...this.#holdings.keys()];
  }

  /**
   * Makes the plan, or turns the owner's existing objects into it with as few changes as possible. Returns the operations done:
   * none if all was right. On failure a new plan leaves nothing behind, and the next call works from what is there.
   * ALREADY_EXISTS for a name or a VNI that somebody else has, NOT_FOUND for a namespace that is gone, FAILED_PRECONDITION for a
   * shared object that another holder has in another form. Kernel batches are steps of `span`.
   */
  async apply(plan: Plan, span?: Span): Promise<readonly Operation[]> {
    const { owner } = plan;
    return await this.#inTurn(owner, span, async () => {
      try {
        const done = await this.#sharing(plan, () => this.#bring(plan));
        this.#claims?.settle(owner);
        return done;
      } catch (error) {
        const given = { plan, observer: this.#observer, owners: this.#owners };
        throw await explain(`make ${this.#owners.nameOf(owner)}`, error, given);
      }
    });
  }

  /**
   * Repairs an owner whose plan was made: brings its objects back to that plan, and returns the operations done. Does nothing for
   * other owners, or if `isDue`, called in the owner's turn, is false. A renamed Netloom device gets its name back.
   */
  async mend(owner: string, isDue: () => boolean = () => true): Promise<readonly Operation[]> {
    return await this.#inTurn(owner, undefined, async () => {
      const holding = this.#holdings.get(owner);
      const plan = holding && madePlan(holding);
      if (!holding || !plan || !isDue()) return [];
      try {
        return await this.#sharing(plan, () => this.#putRight(plan));
      } catch (error) {
        this.#holdings.set(owner, { ...(this.#holdings.get(owner) ?? holding), plan, state: "broken" });
        throw await explain(`put ${this.#owners.nameOf(owner)} right`, error);
      }
    });
  }

  /**
   * Replaces the owner's member `key` by `objects`; an empty list removes the member. The cost is that of the change, however
   * many members there are: nothing is observed. FAILED_PRECONDITION for an owner whose plan was not applied.
   */
  async applyMember(owner: string, key: string, objects: readonly KernelObject[]): Promise<void> {
    await this.#turns.take([owner], async () => {
      try {
        await this.#changeMember(owner, key, objects);
      } catch (error) {
        throw await explain(`change ${key} of ${this.#owners.nameOf(owner)}`, error);
      }
    });
  }

  /**
   * To be called before several plans are applied: if a name, a tunnel, an address or a route passes from one plan to another, or
   * to or from their shared objects, its present holder gives it up. A plan that does not change loses nothing, nor does an owner
   * outside of `plans` that shares with one of them.
   */
  async makeRoom(plans: readonly Plan[]): Promise<void> {
    const isClaimed = claimedBy(plans);
    await Promise.all(
      plans.map((plan) => this.#turns.take([plan.owner], () => this.#giveUp(plan, isClaimed))),
    );
    await this.#giveUpShared(plans, isClaimed);
  }

  /** Removes the owner's own objects, and the shared ones that nobody else holds. Removing an unknown owner succeeds. */
  async remove(owner: string, span?: Span): Promise<void> {
    const taken = this.#claims?.holdingOf(owner);
    await this.#inTurn(owner, span, async () => {
      const holding = this.#holdings.get(owner);
      if (!holding) return;
      try {
        await this.#sharing({ owner, objects: [] }, () => this.#takeAway(owner, holding));
        this.#claims?.release(owner, taken);
      } catch (error) {
        throw await explain(`remove ${this.#owners.nameOf(owner)}`, error);
      }
    });
  }

  /**
   * Takes over the objects that an earlier process left in `namespaces`, and changes nothing; skips a namespace that is gone.
   * Returns the objects found, by owner. Call it before the first `apply`.
   */
  async adopt(namespaces: readonly Netns[]): Promise<ReadonlyMap<string, readonly KernelObject[]>> {
    const groups = groupByOwner(await this.#observer.everything(namespaces), this.#owners);
    this.#orphans = groups.nameless;
    this.#shared.adopt(groups.host);
    const found = new Map([...groups.owned].filter(([owner]) => !this.#holdings.has(owner)));
    for (const [owner, objects] of found) await this.#find(owner, objects);
    return found;
  }

  /** The present objects of an owner that was found; empty for an unknown owner. */
  async look(owner: string): Promise<readonly KernelObject[]> {
    return this.#holdings.has(owner) ? await this.#observer.ofOwner(owner, this.#objectsOf(owner)) : [];
  }

  /**
   * Adopts in one namespace, later on: owners that are not known to be made, and whose devices have all ends in `netns` or
   * accepted by `isOwn`. Returns their objects, with those found before.
   */
  async adoptIn(
    netns: Netns,
    isOwn: (end: LinkEnd) => boolean,
  ): Promise<ReadonlyMap<string, readonly KernelObject[]>> {
    const found = new Map<string, readonly KernelObject[]>();
    const { owned } = groupByOwner(await this.#observer.everything([netns]), this.#owners);
    for (const [owner, objects] of owned) {
      const known = this.#holdings.get(owner);
      const ends = objects.filter(isDevice).flatMap(endsOf);
      if ((known && known.state !== "found") || !ends.every((end) => end.netns === netns || isOwn(end)))
        continue;
      // The pair may have been observed from its other end, without a name for this namespace.
      const before = this.#objectsOf(owner).filter((each) => !isPair(each));
      const all = [...objects, ...before];
      await this.#find(owner, all);
      found.set(owner, all);
    }
    return found;
  }

  /**
   * Removes the objects that `adopt` found and no `apply` has asked for since: plans of owners, except those that `isWanted`
   * still expects; shared objects that no plan holds; and the rest of a crash. Returns the owners of the removed plans.
   */
  async sweep(isWanted: (owner: string) => boolean = () => false): Promise<string[]> {
    const unclaimed = [...this.#holdings].flatMap(([owner, holding]) =>
      holding.state === "found" && !isWanted(owner) ? [owner] : [],
    );
    for (const owner of unclaimed) await this.remove(owner);
    this.#isGraceOver = true;
    await this.#sweepShared();
    const claimed = new Set(
      this.owners().flatMap((owner) => this.#objectsOf(owner).filter(isDevice).flatMap(linkKeys)),
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

  async #giveUp(plan: Plan, isClaimed: ReturnType<typeof claimedBy>): Promise<void> {
    const { owner, shared = [] } = plan;
    const held = this.#objectsOf(owner);
    // An owner's objects on a shared device stay with that device.
    const staying = new Set(whatStays([...held, ...this.#shared.heldBy(owner)], [...shared, ...ownOf(plan)]));
    if (!held.some((object) => !staying.has(object) && isClaimed({ owner }, object))) return;
    this.#holdings.set(owner, { objects: held, members: new Map(), state: "unsure" });
    try {
      await this.#converge({ owner, objects: held.filter((object) => staying.has(object)) }, held);
    } catch (error) {
      throw await explain(`make room for others beside ${this.#owners.nameOf(owner)}`, error);
    }
  }

  /** Removes shared objects that none of `plans` uses any more, if one of them is claimed and nobody else can want them. */
  async #giveUpShared(plans: readonly Plan[], isClaimed: ReturnType<typeof claimedBy>): Promise<void> {
    const wanted = plans.flatMap(({ shared = [] }) => shared);
    await this.#nameAnew([...wanted, ...plans.flatMap(ownOf)]);
    const identities = new Set(wanted.map(identityOf));
    const owners = new Set(plans.map(({ owner }) => owner));
    const leaving = (): KernelObject[] => {
      const mayBeAsked = this.#isAwaited((owner) => !owners.has(owner)) ? this.#shared.unheld() : [];
      return this.#shared
        .heldOnlyBy(owners)
        .filter((object) => !identities.has(identityOf(object)) && !mayBeAsked.includes(object));
    };
    const objects = leaving();
    if (!objects.some((object) => isClaimed("shared", object))) return;
    await this.#turns.take([...owners], () =>
      this.#shared.alone(objects, async () => {
        const still = leaving().filter((object) => objects.includes(object));
        // Removing them takes along whatever is on them.
        for (const [owner, holding] of this.#holdings)
          if (owners.has(owner) && holding.state === "made")
            this.#holdings.set(owner, { ...holding, state: "unsure" });
        this.#shared.doubt(still);
        try {
          await this.#apply(diff([], await this.#observer.ofHost(still)));
        } catch (error) {
          throw await explain("make room by what nobody shares any more", error);
        }
        this.#shared.drop(still);
      }),
    );
  }

  async #find(owner: string, objects: readonly KernelObject[]): Promise<void> {
    this.#holdings.set(owner, { objects, members: new Map(), state: "found" });
    await this.#claims?.adopt(owner, objects);
  }

  async #inTurn<T>(owner: string, span: Span | undefined, task: () => Promise<T>): Promise<T> {
    return await this.#turns.take([owner], async () => {
      if (!span?.context) return await task();
      this.#spans.set(owner, span);
      try {
        return await task();
      } finally {
        this.#spans.delete(owner);
      }
    });
  }

  /** Runs `task` in the turn of all shared objects that the plan will hold, has held, or may take along. */
  async #sharing<T>(plan: Plan, task: () => Promise<T>): Promise<T> {
    await this.#nameAnew(objectsOf(plan));
    return await this.#shared.inTurn(plan, this.#abandoned(plan.owner), task);
  }

  /** Renames the found objects to the namespace names of `wanted`: one namespace may have several names. */
  async #nameAnew(wanted: readonly KernelObject[]): Promise<void> {
    const unheld = this.#shared.unheld();
    if (unheld.length > 0) this.#shared.rename(unheld, await this.#observer.sameNames(unheld, wanted));
  }

  /** Shared objects without holder that nobody except `owner` can still ask for; none before `sweep`. */
  #abandoned(owner?: string): readonly KernelObject[] {
    const unheld = this.#isGraceOver ? this.#shared.unheld() : [];
    return unheld.length > 0 && !this.#isAwaited((each) => each !== owner) ? unheld : [];
  }

  /** Whether a found owner may still ask for shared objects without holder. */
  #isAwaited(isMeant: (owner: string) => boolean): boolean {
    return [...this.#holdings].some(([owner, { state }]) => state === "found" && isMeant(owner));
  }

  async #bring(plan: Plan): Promise<readonly Operation[]> {
    const { owner, shared = [] } = plan;
    this.#shared.demandAgreement(plan, this.#owners);
    const isKnown = this.#holdings.has(owner);
    const added = isKnown ? undefined : await this.#addNew(plan);
    if (added) return added;
    const held = this.#shared.heldBy(owner);
    const before = await this.#observer.sameNames(this.#objectsOf(owner), ownOf(plan));
    // Until this succeeds, objects of both plans may exist.
    const objects = [...before, ...ownOf(plan)];
    this.#holdings.set(owner, { plan, objects, members: new Map(), state: "unsure" });
    this.#shared.hold(owner, [...held, ...shared], false);
    const leaving = this.#leaving(owner, shared);
    try {
      const done = await this.#converge(plan, [...before, ...leaving]);
      this.#hold(plan);
      this.#shared.forget(leaving);
      return done;
    } catch (error) {
      if (!isKnown) await this.#clean(plan);
      throw error;
    }
  }

  /** Adds the plan without looking. `undefined` if something is in the way or the kernel worker died: then a look is needed. */
  async #addNew(plan: Plan): Promise<readonly Operation[] | undefined> {
    const { owner, shared = [] } = plan;
    const missing = shared.filter((object) => !this.#shared.isThere(object));
    if (missing.some((object) => this.#shared.isKnown(object))) return undefined;
    const added = [...missing, ...ownOf(plan)].map((object): Operation => ({ verb: "add", object }));
    // A shared object that is believed to exist may be gone.
    const isLost = shared.length > missing.length ? (["NOT_FOUND"] as const) : [];
    if (!(await this.#tryBlindly(owner, added, "ALREADY_EXISTS", "ABORTED", ...isLost))) return undefined;
    this.#hold(plan);
    return added;
  }

  /** First looks at the plan's own places; if something is in the way, at all of its namespaces. */
  async #putRight(plan: Plan): Promise<readonly Operation[]> {
    const { owner } = plan;
    const wanted = objectsOf(plan);
    const near = await this.#observer.ofOwner(owner, wanted);
    const named = await nameBack(this.#kernel, wanted, near);
    try {
      return [...named, ...(await this.#bring(plan))];
    } catch (error) {
      if (!hasCode(error, "ALREADY_EXISTS")) throw error;
      const found = await this.#observer.everyPlaceOf(owner, wanted);
      named.push(...(await nameBack(this.#kernel, wanted, found)));
      const known = this.#objectsOf(owner);
      this.#holdings.set(owner, { plan, objects: [...known, ...found], members: new Map(), state: "unsure" });
      return [...named, ...(await this.#bring(plan))];
    }
  }

  #hold(plan: Plan): void {
    const { owner, objects, shared = [], members = [] } = plan;
    const living = new Map(members);
    this.#holdings.set(owner, { plan, objects, members: living, state: "made" });
    this.planned.hold({ ...plan, members: living });
    this.#shared.hold(owner, shared, true);
    // An object found on a device without owner turns out to be this owner's.
    this.#shared.forget(ownOf(plan));
  }

  #forget(owner: string): void {
    this.#holdings.delete(owner);
    this.planned.forget(owner);
    this.#shared.hold(owner, [], true);
  }

  /** The shared objects that go when `owner` holds no more than `shared`. */
  #leaving(owner: string, shared: readonly KernelObject[]): KernelObject[] {
    const kept = new Set(shared.map(identityOf));
    const held = this.#shared.heldBy(owner);
    const last = held.filter((object) => !this.#shared.hasOthers(owner, object));
    return [...last, ...this.#abandoned(owner)].filter((object) => !kept.has(identityOf(object)));
  }

  async #changeMember(owner: string, key: string, objects: readonly KernelObject[]): Promise<void> {
    const holding = this.#holdings.get(owner);
    if (!holding?.plan)
      throw new NetloomError("FAILED_PRECONDITION", `its plan was not applied`, {
        hint: "apply the plan first, then change its members",
      });
    const put = (members: Map<string, readonly KernelObject[]>): void => {
      if (objects.length > 0) members.set(key, objects);
      else members.delete(key);
    };
    if (holding.state === "made") {
      // If the change fails, the other members are still wanted.
      const plan = { ...holding.plan, members: holding.members };
      this.#holdings.set(owner, { ...holding, plan, state: "unsure" });
      const operations = diff(objects, holding.members.get(key) ?? []);
      if (await this.#tryBlindly(owner, operations, "ALREADY_EXISTS", "NOT_FOUND", "ABORTED")) {
        put(holding.members);
        this.#holdings.set(owner, holding);
        this.planned.extend(owner, objects);
        return;
      }
    }
    const members = new Map(holding.state === "made" ? holding.members : holding.plan.members);
    put(members);
    const plan = { ...holding.plan, members };
    await this.#sharing(plan, () => this.#bring(plan));
  }

  /** Applies `operations` without looking. False for the errors `unless`: then a look is needed. */
  async #tryBlindly(
    owner: string,
    operations: readonly Operation[],
    ...unless: readonly NetloomError["code"][]
  ): Promise<boolean> {
    try {
      await this.#apply(operations, owner);
      return true;
    } catch (error) {
      if (hasCode(error, ...unless)) return false;
      throw error;
    }
  }

  /**
   * Removes the owner's objects without looking, as `diff` would, if they were made and all hang on devices. An object that hangs
   * on no device, such as a rule, may have been changed by somebody: then a look is needed.
   */
  async #takeAway(owner: string, { state }: HeldOwner): Promise<void> {
    const leaving = this.#leaving(owner, []);
    const objects = [...leaving, ...this.#objectsOf(owner)];
    const isBlind =
      state === "made" && objects.filter(isMarked).every((object) => linksOf(object).length > 0);
    if (!isBlind || !(await this.#tryBlindly(owner, removals(objects), "ABORTED")))
      await this.#converge({ owner, objects: [] }, objects);
    this.#forget(owner);
    this.#shared.forget(leaving);
  }

  async #sweepShared(): Promise<void> {
    const leaving = this.#abandoned();
    if (leaving.length === 0) return;
    await this.#shared.alone(leaving, async () => {
      const still = new Set(this.#shared.unheld());
      try {
        const objects = leaving.filter((object) => still.has(object));
        await this.#apply(diff([], await this.#observer.ofHost(objects)));
        this.#shared.forget(objects);
      } catch (error) {
        throw await explain("remove what nobody shares any more", error);
      }
    });
  }

  /** Brings the owner's objects, whatever they are, to the plan; tries once more if the kernel worker dies. */
  async #converge(plan: Plan, before: readonly KernelObject[]): Promise<readonly Operation[]> {
    const wanted = objectsOf(plan);
    const attempt = async (): Promise<readonly Operation[]> => {
      const observed = await this.#observer.ofOwner(plan.owner, [...before, ...wanted]);
      const operations = diff(wanted, observed);
      await this.#apply(operations, plan.owner);
      return operations;
    };
    try {
      return await attempt();
    } catch (error) {
      if (!hasCode(error, "ABORTED")) throw error;
      return await attempt();
    }
  }

  /** Cleans up a plan that could not be made. If that fails too, the holding stays for `remove` or the next `apply`. */
  async #clean({ owner }: Plan): Promise<void> {
    try {
      await this.#converge({ owner, objects: [] }, [...this.#leaving(owner, []), ...this.#objectsOf(owner)]);
      this.#forget(owner);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      const objects = this.#objectsOf(owner);
      this.#holdings.set(owner, { objects, members: new Map(), state: "unsure" });
    }
  }

  /** All objects of an owner alone that are, or may be, in the kernel. */
  #objectsOf(owner: string): readonly KernelObject[] {
    const holding = this.#holdings.get(owner);
    return holding ? [...holding.objects, ...[...holding.members.values()].flat()] : [];
  }

  async #apply(operations: readonly Operation[], owner?: string): Promise<void> {
    if (owner !== undefined) this.#shared.demandAlone(owner, operations);
    await applyBatches(this.#kernel, operations, owner === undefined ? undefined : this.#spans.get(owner));
  }
}
