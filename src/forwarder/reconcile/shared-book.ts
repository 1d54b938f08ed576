/** Who holds which object of the host. It is there as long as somebody does. */
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import { describeObject } from "../../kernel/kernel-text.ts";
import { contentOf, identityOf } from "../../kernel/objects.ts";
import type { Owners, Plan } from "../../kernel/plan.ts";

interface Entry {
  readonly object: KernelObject;
  /** Thousands, where all wires of a host share it: one comes and goes at no cost of the others. */
  readonly holders: Set<string>;
  /** It is in the kernel like this, when last heard of. */
  readonly isThere: boolean;
}

/** What a task is about to do needs the turn alone. Never leaves the book. */
class NotAlone extends Error {}

export class SharedBook {
  readonly #entries = new Map<string, Entry>();
  readonly #held = new Map<string, readonly KernelObject[]>();
  /** By identity; taken in an owner's turn only. */
  readonly #turns = new KeyedMutex<string>();
  /** Owners that have their turn beside others. */
  readonly #beside = new Set<string>();

  /**
   * Runs `task` in the turn of all that the plan shares, its owner has shared, or takes along (`leaving`). Where all of that is
   * there and others hold what the owner gives up, plans need not wait for each other: only who makes or removes something has
   * the turn alone. A task that finds out in between that it has to (`demandAlone`) runs once more.
   */
  async inTurn<T>(plan: Plan, leaving: readonly KernelObject[], task: () => Promise<T>): Promise<T> {
    const { owner, shared = [] } = plan;
    const concerned = [...this.heldBy(owner), ...shared, ...leaving];
    if (concerned.length === 0) return await task();
    const kept = new Set(shared.map(identityOf));
    const identities = concerned.map(identityOf);
    const isAtRest = (): boolean =>
      shared.every((object) => this.isThere(object)) &&
      concerned.every((object) => kept.has(identityOf(object)) || this.hasOthers(owner, object));
    const beside = async (): Promise<{ readonly result: T } | undefined> => {
      if (!isAtRest()) return undefined;
      // At once, so that the last one knows that it is.
      this.#letGo(owner, kept);
      this.#beside.add(owner);
      try {
        return { result: await task() };
      } catch (error) {
        if (error instanceof NotAlone) return undefined;
        throw error;
      } finally {
        this.#beside.delete(owner);
      }
    };
    const done = isAtRest() ? await this.#turns.share(identities, beside) : undefined;
    return done ? done.result : await this.#turns.take(identities, task);
  }

  /** Before the owner does `operations`: what is shared is made and removed by who has its turn alone. */
  demandAlone(owner: string, operations: readonly Operation[]): void {
    if (this.#beside.has(owner) && operations.some(({ object }) => this.isKnown(object)))
      throw new NotAlone();
  }

  /** Nobody else makes `objects`, or gives them up, meanwhile. */
  async alone<T>(objects: readonly KernelObject[], task: () => Promise<T>): Promise<T> {
    return await this.#turns.take(objects.map(identityOf), task);
  }

  /** What an earlier process has left. Its holders are known again by the plans that are applied again. */
  adopt(objects: readonly KernelObject[]): void {
    for (const object of objects) {
      const identity = identityOf(object);
      if (!this.#entries.has(identity))
        this.#entries.set(identity, { object, holders: new Set(), isThere: true });
    }
  }

  heldBy(owner: string): readonly KernelObject[] {
    return this.#held.get(owner) ?? [];
  }

  /** A shared object is the same for all who hold it: FAILED_PRECONDITION for who wants it otherwise. */
  demandAgreement({ owner, shared = [] }: Plan, owners: Owners): void {
    for (const object of shared) {
      const another = this.#another(owner, object);
      const other = this.heldBy(another ?? "").find((each) => identityOf(each) === identityOf(object));
      if (another === undefined || !other || contentOf(other) === contentOf(object)) continue;
      throw new NetloomError(
        "FAILED_PRECONDITION",
        `share ${describeObject(object)}: ${owners.nameOf(another)} has it otherwise`,
        { hint: "all who share it have to want it in the same form" },
      );
    }
  }

  /** Whether somebody else holds an object with this identity. */
  hasOthers(owner: string, object: KernelObject): boolean {
    return this.#another(owner, object) !== undefined;
  }

  #another(owner: string, object: KernelObject): string | undefined {
    for (const holder of this.#entries.get(identityOf(object))?.holders ?? [])
      if (holder !== owner) return holder;
    return undefined;
  }

  /** Exactly this is in the kernel. */
  isThere(object: KernelObject): boolean {
    const entry = this.#entries.get(identityOf(object));
    return entry !== undefined && entry.isThere && contentOf(entry.object) === contentOf(object);
  }

  /** Something with this identity is, or may be, in the kernel. */
  isKnown(object: KernelObject): boolean {
    return this.#entries.has(identityOf(object));
  }

  /**
   * From now on the owner holds `objects` and nothing else. What is nobody's any more is forgotten. `areThere`: they are in the
   * kernel; else only those that others hold are.
   */
  hold(owner: string, objects: readonly KernelObject[], areThere: boolean): void {
    this.#letGo(owner, new Set(objects.map(identityOf)));
    for (const object of objects) {
      const isThere = areThere || (this.hasOthers(owner, object) && this.isThere(object));
      const holders = this.#entries.get(identityOf(object))?.holders ?? new Set();
      this.#entries.set(identityOf(object), { object, holders: holders.add(owner), isThere });
    }
    if (objects.length > 0) this.#held.set(owner, objects);
  }

  /** The owner holds no more than what has one of these identities. */
  #letGo(owner: string, kept: ReadonlySet<string>): void {
    const held = this.heldBy(owner);
    const left = held.filter((object) => kept.has(identityOf(object)));
    if (left.length === held.length) return;
    for (const object of held) {
      const identity = identityOf(object);
      const entry = this.#entries.get(identity);
      if (kept.has(identity) || !entry) continue;
      entry.holders.delete(owner);
      if (entry.holders.size === 0) this.#entries.delete(identity);
    }
    if (left.length > 0) this.#held.set(owner, left);
    else this.#held.delete(owner);
  }

  /** What nobody holds: found, and no plan has asked for it since. */
  unheld(): KernelObject[] {
    return [...this.#entries.values()].flatMap(({ object, holders }) => (holders.size === 0 ? [object] : []));
  }

  /** What nobody else than `owners` holds; what nobody holds as well. */
  heldOnlyBy(owners: ReadonlySet<string>): KernelObject[] {
    return [...this.#entries.values()].flatMap(({ object, holders }) =>
      holders.size <= owners.size && [...holders].every((holder) => owners.has(holder)) ? [object] : [],
    );
  }

  /** `objects` may be gone, or may not. */
  doubt(objects: readonly KernelObject[]): void {
    for (const object of objects) {
      const entry = this.#entries.get(identityOf(object));
      if (entry) this.#entries.set(identityOf(object), { ...entry, isThere: false });
    }
  }

  /** `objects` are gone, and nobody holds them any more. */
  drop(objects: readonly KernelObject[]): void {
    const gone = new Set(objects.map(identityOf));
    for (const identity of gone) this.#entries.delete(identity);
    for (const [owner, held] of this.#held) {
      const left = held.filter((object) => !gone.has(identityOf(object)));
      if (left.length > 0) this.#held.set(owner, left);
      else this.#held.delete(owner);
    }
  }

  /** `unheld`, where they are called by other names; those that have none are gone. */
  rename(unheld: readonly KernelObject[], anew: readonly KernelObject[]): void {
    if (unheld.length === anew.length && unheld.every((object, i) => object === anew[i])) return;
    this.forget(unheld);
    this.adopt(anew);
  }

  forget(objects: readonly KernelObject[]): void {
    for (const object of objects)
      if (this.#entries.get(identityOf(object))?.holders.size === 0) this.#entries.delete(identityOf(object));
  }
}
