import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";
import type { PutOptions, Store, StoreEntry, StoreEvent } from "../../world/store.ts";
import { WatchHistory } from "../watch-history.ts";

interface Stored {
  readonly entry: StoreEntry;
  readonly lease: string | undefined;
}

interface Lease {
  readonly ttlMs: number;
  expiresAtMs: number;
  readonly keys: Set<string>;
}

export interface MemoryStoreOptions {
  readonly clock: Clock;
  /** The home of the tasks that wait for leases to expire. */
  readonly scope: Scope;
  /** How many changes a watch can go back. Default: 10,000. */
  readonly historyLimit?: number;
}

/** A store in memory: for one process, for tests, and for the simulator. */
export class MemoryStore implements Store {
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #keys = new Map<string, Stored>();
  readonly #leases = new Map<string, Lease>();
  readonly #history: WatchHistory;
  #revision = 0;
  #leaseCount = 0;

  constructor(options: MemoryStoreOptions) {
    this.#clock = options.clock;
    this.#scope = options.scope;
    this.#history = new WatchHistory(
      options.historyLimit === undefined ? {} : { limit: options.historyLimit },
    );
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    this.#expireLeases();
    const stored = this.#keys.get(key);
    return stored && copyEntry(stored.entry);
  }

  async list(
    prefix: string,
  ): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    this.#expireLeases();
    const entries = [...this.#keys.values()]
      .filter(({ entry }) => entry.key.startsWith(prefix))
      .map(({ entry }) => copyEntry(entry))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    return { entries, revision: this.#revision };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<number> {
    this.#expireLeases();
    this.#expect(`put ${key}`, key, options.expectedRevision);
    const lease = options.lease === undefined ? undefined : this.#lease(`put ${key}`, options.lease);
    this.#detach(key);
    this.#revision += 1;
    const entry: StoreEntry = { key, value: value.slice(), revision: this.#revision };
    this.#keys.set(key, { entry, lease: options.lease });
    lease?.keys.add(key);
    this.#history.publish([{ type: "put", entry }]);
    return this.#revision;
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<void> {
    this.#expireLeases();
    this.#expect(`delete ${key}`, key, options.expectedRevision);
    this.#deleteAll([key]);
  }

  async grantLease(ttlMs: number): Promise<string> {
    this.#expireLeases();
    this.#leaseCount += 1;
    const id = `lease-${this.#leaseCount}`;
    const lease: Lease = { ttlMs, expiresAtMs: this.#clock.monotonicMs() + ttlMs, keys: new Set() };
    this.#leases.set(id, lease);
    this.#scope.spawn(id, async (scope) => {
      while (this.#leases.has(id)) {
        await this.#clock.sleep(lease.expiresAtMs - this.#clock.monotonicMs(), scope);
        this.#expireLeases();
      }
    });
    return id;
  }

  async keepAlive(lease: string): Promise<void> {
    this.#expireLeases();
    const kept = this.#lease("keep alive", lease);
    kept.expiresAtMs = this.#clock.monotonicMs() + kept.ttlMs;
  }

  async revokeLease(lease: string): Promise<void> {
    this.#expireLeases();
    const { keys } = this.#lease("revoke", lease);
    this.#leases.delete(lease);
    this.#deleteAll([...keys]);
  }

  watch(prefix: string, revision: number): Watch<StoreEvent> {
    return this.#history.watch(prefix, revision);
  }

  #expect(what: string, key: string, expected: number | undefined): void {
    const revision = this.#keys.get(key)?.entry.revision ?? 0;
    if (expected === undefined || expected === revision) return;
    throw new NetloomError("ABORTED", `${what}: it is at revision ${revision}, not ${expected}`);
  }

  #lease(what: string, id: string): Lease {
    const lease = this.#leases.get(id);
    if (!lease) throw new NetloomError("NOT_FOUND", `${what}: ${id} is over`);
    return lease;
  }

  /** Nobody may see a key whose lease is over, also when the task that watches over it has not run yet. */
  #expireLeases(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, lease] of this.#leases) {
      if (lease.expiresAtMs > nowMs) continue;
      this.#leases.delete(id);
      this.#deleteAll([...lease.keys]);
    }
  }

  /** In one revision, as etcd does. */
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
    const lease = this.#keys.get(key)?.lease;
    if (lease !== undefined) this.#leases.get(lease)?.keys.delete(key);
  }
}

/** Values are copied on their way in and out: no object is shared with a caller. */
function copyEntry(entry: StoreEntry): StoreEntry {
  return { ...entry, value: entry.value.slice() };
}
