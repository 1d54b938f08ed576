import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";
import { type Expiring, ExpiryQueue, NO_SLOT } from "../../async/expiry-queue.ts";
import { Signal } from "../../async/signal.ts";
import type { Lease, PutOptions, Store, StoreEntry, StoreEvent } from "../../world/store.ts";
import { WatchHistory } from "../watch-history.ts";

interface Stored {
  readonly entry: StoreEntry;
  readonly lease: HeldLease | undefined;
}

interface HeldLease extends Lease, Expiring {
  readonly keys: Set<string>;
}

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** Parent of the task that ends leases. */
  readonly scope: Scope;
  /** The number of past changes that a watch can start from. Default: 10,000. */
  readonly historyLimit?: number;
}

/** A store in memory: for one process, for tests, and for the simulator, where all hosts share it. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #keys = new Map<string, Stored>();
  readonly #leases = new Map<string, HeldLease>();
  readonly #ends = new ExpiryQueue<HeldLease>();
  /** Rings when a lease becomes the first to expire. */
  readonly #sooner = new Signal();
  readonly #history: WatchHistory;
  #revision = 0;

  constructor({ clock, scope, historyLimit }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#history = new WatchHistory(historyLimit === undefined ? {} : { limit: historyLimit });
    scope.spawn("end leases", (task) => this.#endLeases(task));
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#endDue();
    const stored = this.#keys.get(key);
    return stored && copyEntry(stored.entry);
  }

  async list(
    prefix: string,
  ): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    this.#endDue();
    const entries = [...this.#keys.values()]
      .filter(({ entry }) => entry.key.startsWith(prefix))
      .map(({ entry }) => copyEntry(entry))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<number> {
    this.#endDue();
    this.#expect(`put ${key}`, key, options.expectedRevision);
    const lease = options.lease && this.#begin(options.lease);
    this.#detach(key);
    this.#revision += 1;
    const entry: StoreEntry = { key, value: value.slice(), revision: this.#revision };
    this.#keys.set(key, { entry, lease });
    lease?.keys.add(key);
    this.#history.publish([{ type: "put", entry }]);
    return this.#revision;
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<number> {
    this.#endDue();
    this.#expect(`delete ${key}`, key, options.expectedRevision);
    this.#deleteAll([key]);
    return this.#revision;
  }

  async keepAlive(name: string): Promise<number> {
    this.#endDue();
    const lease = this.#leases.get(name);
    if (!lease) throw new NetloomError("NOT_FOUND", `keep lease ${name} alive: it is over`);
    this.#renew(lease);
    return lease.ttlMs;
  }

  watch(prefix: string, revision: number): Watch<StoreEvent> {
    return this.#history.watch(prefix, revision);
  }

  #expect(what: string, key: string, expected: number | undefined): void {
    const revision = this.#keys.get(key)?.entry.revision ?? 0;
    if (expected === undefined || expected === revision) return;
    throw new NetloomError("ABORTED", `${what}: it is at revision ${revision}, not ${expected}`);
  }

  #begin({ name, ttlMs }: Lease): HeldLease {
    let lease = this.#leases.get(name);
    if (!lease) {
      lease = { name, ttlMs, endsAtMs: Infinity, slot: NO_SLOT, keys: new Set() };
      this.#leases.set(name, lease);
    }
    this.#renew(lease);
    return lease;
  }

  #renew(lease: HeldLease): void {
    lease.endsAtMs = this.#clock.monotonicMs() + lease.ttlMs;
    if (this.#ends.schedule(lease)) this.#sooner.ring();
  }

  async #endLeases(scope: Scope): Promise<void> {
    while (!scope.ended) {
      await this.#sooner.wait(this.#clock, scope, this.#ends.nextMs - this.#clock.monotonicMs());
      this.#endDue();
    }
  }

  /** Deletes the keys of expired leases, so that nobody sees them even if the task that ends leases has not run yet. */
  #endDue(): void {
    for (const { name, keys } of this.#ends.takeEnded(this.#clock.monotonicMs())) {
      this.#leases.delete(name);
      this.#deleteAll([...keys]);
    }
  }

  /** Deletes all keys in one revision, as etcd does. */
  #deleteAll(keys: readonly string[]): void {
    const present = keys.filter((key) => this.#keys.has(key));
    if (present.length === 0) return;
    this.#revision += 1;
    for (const key of present) {
      this.#detach(key);
      this.#keys.delete(key);
    }
    this.#history.publish(present.map((key) => ({ type: "delete", key, revision: this.#revision })));
  }

  #detach(key: string): void {
    this.#keys.get(key)?.lease?.keys.delete(key);
  }
}

/** Copies the value: the store shares no object with a caller. */
function copyEntry(entry: StoreEntry): StoreEntry {
  return { ...entry, value: entry.value.slice() };
}
