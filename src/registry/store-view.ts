/**
 * One registry's view of a shared store: listed once, then followed.
 *
 * ```
 *  store ── list ──► shelves: the entries at the position
 *        ── watch ─►          each change, in order; the position goes on
 *        ◄─ put, delete ── expecting the known revision; shown at once, and recognised when the watch reports it
 * ```
 *
 * Guarantees
 * - A shelf has the store's entries at the position, and this registry's own writes since then. A writer sees its write at once.
 * - A write changes only a record that is known here. If another registry was faster the write is refused with ABORTED, and the
 *   other record is known by then. A write that arrives late, after others, changes nothing.
 * - A broken watch is followed by a list: shelves are told what has changed meanwhile, and nothing else.
 * - A registry that has not heard of its store for `LOST_MS` is out of step, and reports it.
 */
import { backoffMs } from "../async/backoff.ts";
import type { Scope } from "../async/scope.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Lease, Store, StoreEntry, StoreEvent } from "../world/store.ts";
import type { World } from "../world/world.ts";

const LOST_MS = 3000;

const FOLLOW = "follow the store";

const PAUSES = { firstMs: 50, lastMs: 1000 } as const;

/** Records of one kind, by name. */
export interface Shelf {
  /** Key prefix of the records in the store: `endpoints/`. Its only slash is the last character. */
  readonly prefix: string;
  /** Revision of a known record; 0 if none is known. */
  revisionOf(name: string): number;
  names(): Iterable<string>;
  put(name: string, value: Uint8Array, revision: number): void;
  remove(name: string): void;
}

export interface StoreViewOptions {
  readonly world: World;
  readonly store: Store;
}

export class StoreView {
  readonly world: World;
  readonly #store: Store;
  readonly #shelves = new Map<string, Shelf>();
  /** The revision up to which the store has reported everything. */
  #position = 0;
  /** Keys deleted ahead of the position: older news of them, up to this revision, are ignored. */
  readonly #gone = new Map<string, number>();
  readonly #onLost = new Set<(reason: NetloomError) => void>();
  #lost: NetloomError | undefined;

  constructor({ world, store }: StoreViewOptions) {
    this.world = world;
    this.#store = store;
  }

  /** To be called before `start`. */
  add(shelf: Shelf): void {
    this.#shelves.set(shelf.prefix, shelf);
  }

  /** Fills the shelves, and keeps them up to date until `World.scope` ends. Rejects if the store cannot be read. */
  async start(): Promise<void> {
    const list = await this.#store.list("");
    this.#take(list.entries, list.revision);
    this.world.scope.spawn(FOLLOW, (scope) => this.#follow(scope));
  }

  /** The reason why the view is out of step (UNAVAILABLE); `undefined` if it is in step. */
  get lost(): NetloomError | undefined {
    return this.#lost;
  }

  /** Calls `action` whenever the view gets out of step. The returned function cancels that. */
  onLost(action: (reason: NetloomError) => void): () => void {
    const own = (reason: NetloomError): void => action(reason);
    this.#onLost.add(own);
    return () => this.#onLost.delete(own);
  }

  /** Replaces the known record. `show` puts the new record with its revision on the shelf, if nothing newer is there. */
  async put(
    shelf: Shelf,
    name: string,
    value: Uint8Array,
    { lease, show }: { readonly lease?: Lease | undefined; readonly show: (revision: number) => void },
  ): Promise<void> {
    const options = { expectedRevision: shelf.revisionOf(name), ...(lease && { lease }) };
    const revision = await this.#write(shelf, name, (key) => this.#store.put(key, value, options));
    if (revision > this.#position && revision > shelf.revisionOf(name)) show(revision);
  }

  /** Deletes the known record. Succeeds if the store has none. */
  async delete(shelf: Shelf, name: string): Promise<void> {
    const known = shelf.revisionOf(name);
    if (known === 0) {
      if (!(await this.refresh(shelf, name))) return;
      throw new NetloomError("ABORTED", `delete ${shelf.prefix}${name}: it has come meanwhile`);
    }
    const options = { expectedRevision: known };
    const revision = await this.#write(shelf, name, (key) => this.#store.delete(key, options));
    if (revision <= this.#position) return;
    this.#gone.set(shelf.prefix + name, revision);
    if (shelf.revisionOf(name) <= revision) shelf.remove(name);
  }

  /** Reads one record from the store. True if this changes the known record. */
  async refresh(shelf: Shelf, name: string): Promise<boolean> {
    const key = shelf.prefix + name;
    const before = shelf.revisionOf(name);
    const entry = await this.#store.get(key);
    if (shelf.revisionOf(name) !== before) return true;
    if (entry) {
      // If the answer is older than the position, the watch knows more.
      if (entry.revision <= Math.max(before, this.#position, this.#gone.get(key) ?? 0)) return false;
      shelf.put(name, entry.value, entry.revision);
      return true;
    }
    if (before === 0) return false;
    if (before > this.#position) this.#gone.set(key, before);
    shelf.remove(name);
    return true;
  }

  /** `Store.keepAlive`. */
  keepAlive(lease: string): Promise<number> {
    return this.#store.keepAlive(lease);
  }

  async #write(shelf: Shelf, name: string, write: (key: string) => Promise<number>): Promise<number> {
    try {
      return await write(shelf.prefix + name);
    } catch (error) {
      if (error instanceof NetloomError && error.code === "ABORTED") await this.refresh(shelf, name);
      throw error;
    }
  }

  async #follow(scope: Scope): Promise<void> {
    const { clock, random } = this.world;
    let inStepMs = clock.monotonicMs();
    for (let failures = 0, attempt = 0; !scope.ended; attempt++) {
      try {
        if (failures > 0) {
          const { entries, revision } = await this.#store.list("");
          this.#take(entries, revision);
        }
        inStepMs = clock.monotonicMs();
        this.#found();
        for await (const event of this.#store.watch("", this.#position).within(scope)) {
          failures = 0;
          inStepMs = clock.monotonicMs();
          this.#told(event);
        }
        if (!scope.ended) throw new NetloomError("UNAVAILABLE", "follow the store: it has ended the watch");
      } catch (error) {
        if (!(error instanceof NetloomError)) throw error;
        failures += 1;
        this.world.retries.failed(FOLLOW, error);
        if (failures > 1 && clock.monotonicMs() - inStepMs >= LOST_MS) this.#lose(error);
        const fraction = random.fraction(FOLLOW, attempt);
        if (failures > 1) await clock.sleep(backoffMs(failures - 1, fraction, PAUSES), scope);
      }
    }
  }

  #found(): void {
    this.world.retries.over(FOLLOW);
    if (this.#lost) this.world.log.info("the store is followed again");
    this.#lost = undefined;
  }

  #lose({ message }: NetloomError): void {
    if (this.#lost) return;
    this.#lost = new NetloomError("UNAVAILABLE", `this registry does not reach its store: ${message}`);
    this.world.log.error("the store is not reached: what is known is served as it was", {
      problem: message,
    });
    for (const action of this.#onLost) action(this.#lost);
  }

  /** Takes the complete list of entries at a revision. */
  #take(entries: readonly StoreEntry[], revision: number): void {
    const listed = new Set(entries.map(({ key }) => key));
    for (const shelf of this.#shelves.values()) {
      for (const name of shelf.names()) {
        const isGone = !listed.has(shelf.prefix + name) && shelf.revisionOf(name) <= revision;
        if (isGone) shelf.remove(name);
      }
    }
    for (const entry of entries) this.#put(entry);
    this.#reach(revision);
  }

  #told(event: StoreEvent): void {
    if (event.type === "put") {
      this.#put(event.entry);
      this.#reach(event.entry.revision);
      return;
    }
    const { shelf, name } = this.#placeOf(event.key);
    if (shelf && shelf.revisionOf(name) <= event.revision) shelf.remove(name);
    this.#reach(event.revision);
  }

  #put({ key, value, revision }: StoreEntry): void {
    const { shelf, name } = this.#placeOf(key);
    const isNews = shelf && revision > Math.max(shelf.revisionOf(name), this.#gone.get(key) ?? 0);
    if (isNews) shelf.put(name, value, revision);
  }

  #reach(revision: number): void {
    this.#position = Math.max(this.#position, revision);
    for (const [key, until] of this.#gone) if (until <= this.#position) this.#gone.delete(key);
  }

  #placeOf(key: string): { readonly shelf: Shelf | undefined; readonly name: string } {
    const end = key.indexOf("/") + 1;
    return { shelf: this.#shelves.get(key.slice(0, end)), name: key.slice(end) };
  }
}
