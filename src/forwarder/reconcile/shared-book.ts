/** The host's shared objects and their holders. An object stays as long as it has a holder. */
import { KeyedMutex } from "../../async/keyed-mutex.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { KernelObject, Operation } from "../../kernel/kernel.ts";
import { describeObject } from "../../kernel/kernel-text.ts";
import { contentOf, identityOf } from "../../kernel/objects.ts";
import type { Owners, Plan } from "../../kernel/plan.ts";

interface Entry {
  readonly object: KernelObject;
  /** Thousands, if all wires of a host share the object: adding or removing a holder costs the others nothing. */
  readonly holders: Set<string>;
  /** The object was in the kernel in this form when last observed. */
  readonly isThere: boolean;
}

/** Thrown when a task needs the turn alone. Never leaves the book. */
class NotAlone extends Error {}

export class SharedBook {
  readonly #entries = new Map<string, Entry>();
  readonly #held = new Map<string, readonly KernelObject[]>();
  /** Turns by object identity; taken only within an owner's turn. */
  readonly #turns = new KeyedMutex<string>();
  /** Owners whose task runs beside others. */
  readonly #beside = new Set<string>();

  /**
   * Runs `task` in the turn of all objects that the plan shares, its owner has shared, or takes along (`leaving`). If all shared
   * objects exist and others hold those that the owner gives up, plans need not wait for each other: only a task that makes or
   * removes a shared object has the turn alone. A task that finds this out on the way (`demandAlone`) runs once more.
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
      // Before any await, so that the last holder knows that it is the last.
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

  /** To be called before the owner does `operations`: shared objects are made and removed only in a turn alone. */
  demandAlone(owner: string, operations: readonly Operation[]): void {
    if (this.#beside.has(owner) && operations.some(({ object }) => this.isKnown(object)))
      throw new NotAlone();
  }

  /** Runs `task` while nobody else makes `objects` or gives them up. */
  async alone<T>(objects: readonly KernelObject[], task: () => Promise<T>): Promise<T> {
    return await this.#turns.take(objects.map(identityOf), task);
  }

  /** Adds the objects that an earlier process left. Their holders become known when plans are applied again. */
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

  /** All holders share an object in the same form: FAILED_PRECONDITION if another holder has it in a different one. */
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

  /** Whether exactly this object is in the kernel. */
  isThere(object: KernelObject): boolean {
    const entry = this.#entries.get(identityOf(object));
    return entry !== undefined && entry.isThere && contentOf(entry.object) === contentOf(object);
  }

  /** Whether an object with this identity is, or may be, in the kernel. */
  isKnown(object: KernelObject): boolean {
    return this.#entries.has(identityOf(object));
  }

  /**
   * From now on the owner holds `objects` and nothing else. Objects without a holder are forgotten. With `areThere` the objects
   * are in the kernel; else only those that others hold are.
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

  /** The owner gives up all objects except those with the identities `kept`. */
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

  /** Objects without a holder: found, and no plan has asked for them since. */
  unheld(): KernelObject[] {
    return [...this.#entries.values()].flatMap(({ object, holders }) => (holders.size === 0 ? [object] : []));
  }

  /** Objects that nobody but `owners` holds, including those without a holder. */
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

  /** Forgets `objects`, which are gone, and their holders. */
  drop(objects: readonly KernelObject[]): void {
    const gone = new Set(objects.map(identityOf));
    for (const identity of gone) this.#entries.delete(identity);
    for (const [owner, held] of this.#held) {
      const left = held.filter((object) => !gone.has(identityOf(object)));
      if (left.length > 0) this.#held.set(owner, left);
      else this.#held.delete(owner);
    }
  }

  /** Replaces `unheld` by the same objects with new namespace names; objects without a new name are gone. */
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
