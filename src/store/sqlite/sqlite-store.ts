/**
 * A store in one SQLite file, for one process.
 *
 * ```
 *  put, delete ─> batch ─> thread ─> one transaction, one fsync ─> answers, watches
 *                   ^ gathers while the transaction before it is under way
 * ```
 */
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";
import type { PutOptions, Store, StoreEntry, StoreEvent } from "../../world/store.ts";
import type { Database, Operation, Outcome, Refusal, Row } from "./batch.ts";
import { WatchHistory } from "../watch-history.ts";

export interface SqliteStoreOptions {
  /** `openDatabase` of thread.ts. */
  readonly database: Database;
  readonly clock: Clock;
  /** The home of the tasks that write and that wait for leases to expire. */
  readonly scope: Scope;
  /** How many changes a watch can go back, within this process. Default: 10,000. */
  readonly historyLimit?: number;
}

interface Waiting {
  readonly operation: Operation;
  readonly settle: (outcome: Outcome) => void;
}

/** How long a lease's keys stay in the file when the disk has refused to forget them. Nobody sees them. */
const RETRY_MS = 1000;

/**
 * Guarantees, beyond those of every store
 * - What was acknowledged is on the disk, also after `kill -9` and loss of power (WAL, synchronous=FULL).
 * - The event loop never waits for the disk, and writes that come together share one fsync.
 * - A full disk refuses writes with RESOURCE_EXHAUSTED; reads go on, and so do writes once there is room.
 * - A file that is deleted, moved or replaced while it is open refuses writes with FAILED_PRECONDITION until it is back.
 * - A lease begins anew when the file is opened; time in which nobody had it open does not count.
 */
export class SqliteStore implements Store {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #history: WatchHistory;
  /** When each lease ends, and how long it lasts. */
  readonly #leases = new Map<string, { readonly ttlMs: number; expiresAtMs: number }>();
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor({ database, clock, scope, historyLimit }: SqliteStoreOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#scope = scope;
    const { revision, leases } = database.opened;
    this.#history = new WatchHistory({
      since: revision,
      ...(historyLimit !== undefined && { limit: historyLimit }),
    });
    for (const { lease, ttlMs } of leases) this.#keepLease(lease, ttlMs);
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const outcome = await this.#run({ type: "get", key });
    return outcome.type === "rows" ? this.#alive(outcome.rows).map(entryOf)[0] : undefined;
  }

  async list(
    prefix: string,
  ): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    const outcome = await this.#run({ type: "list", prefix });
    if (outcome.type !== "rows") return { entries: [], revision: 0 };
    const entries = this.#alive(outcome.rows).map(entryOf);
    return { entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)), revision: outcome.revision };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<number> {
    const { lease = null, expectedRevision } = options;
    if (lease !== null) this.#lease(`put ${key}`, lease);
    const outcome = await this.#run({ type: "put", key, value: value.slice(), lease, expectedRevision });
    return outcome.type === "put" ? outcome.revision : 0;
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<void> {
    await this.#run({ type: "delete", key, expectedRevision: options.expectedRevision });
  }

  async grantLease(ttlMs: number): Promise<string> {
    const outcome = await this.#run({ type: "grant-lease", ttlMs });
    const lease = outcome.type === "granted" ? outcome.lease : "";
    this.#keepLease(lease, ttlMs);
    return lease;
  }

  async keepAlive(lease: string): Promise<void> {
    const kept = this.#lease("keep alive", lease);
    kept.expiresAtMs = this.#clock.monotonicMs() + kept.ttlMs;
  }

  async revokeLease(lease: string): Promise<void> {
    this.#lease("revoke", lease);
    await this.#run({ type: "end-lease", lease });
    this.#leases.delete(lease);
  }

  watch(prefix: string, revision: number): Watch<StoreEvent> {
    return this.#history.watch(prefix, revision);
  }

  /** Nobody may see a key whose lease is over, also when it is still in the file. */
  #alive(rows: readonly Row[]): Row[] {
    return rows.filter(({ lease }) => lease === null || this.#isAlive(lease));
  }

  #isAlive(lease: string): boolean {
    return (this.#leases.get(lease)?.expiresAtMs ?? 0) > this.#clock.monotonicMs();
  }

  #lease(what: string, id: string): { readonly ttlMs: number; expiresAtMs: number } {
    const lease = this.#leases.get(id);
    if (!lease || !this.#isAlive(id)) throw new NetloomError("NOT_FOUND", `${what}: ${id} is over`);
    return lease;
  }

  #keepLease(id: string, ttlMs: number): void {
    const lease = { ttlMs, expiresAtMs: this.#clock.monotonicMs() + ttlMs };
    this.#leases.set(id, lease);
    this.#scope.spawn(id, async (scope) => {
      while (this.#leases.has(id)) {
        const leftMs = lease.expiresAtMs - this.#clock.monotonicMs();
        if (leftMs > 0) await this.#clock.sleep(leftMs, scope);
        else await this.#endLease(id, scope);
      }
    });
  }

  async #endLease(id: string, scope: Scope): Promise<void> {
    try {
      await this.#run({ type: "end-lease", lease: id });
      this.#leases.delete(id);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      await this.#clock.sleep(RETRY_MS, scope);
    }
  }

  #run(operation: Operation): Promise<Outcome> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome): void => {
        if (outcome.type === "refused") reject(errorOf(outcome));
        else resolve(outcome);
      };
      this.#waiting.push({ operation, settle });
      if (this.#isWriting) return;
      this.#isWriting = true;
      this.#scope.spawn("write", () => this.#write());
    });
  }

  /** Until nothing waits. What comes while a batch is written is the next batch. */
  async #write(): Promise<void> {
    try {
      for (let batch = this.#take(); batch.length > 0; batch = this.#take()) {
        const outcomes = await this.#database.run(batch.map(({ operation }) => operation));
        this.#history.publish(batch.flatMap(({ operation }, index) => eventsOf(operation, outcomes[index])));
        for (const [index, { settle }] of batch.entries()) settle(outcomes[index] ?? NO_OUTCOME);
      }
    } finally {
      this.#isWriting = false;
    }
  }

  #take(): Waiting[] {
    const batch = this.#waiting;
    this.#waiting = [];
    return batch;
  }
}

/** What was refused, as an error. */
export function errorOf({ code, message, hint, topic }: Refusal): NetloomError {
  return new NetloomError(code, message, { ...(hint !== undefined && { hint }), ...(topic && { topic }) });
}

const NO_OUTCOME = {
  type: "refused",
  code: "INTERNAL",
  message: "use the store: its thread has not answered",
} as const satisfies Outcome;

function eventsOf(operation: Operation, outcome: Outcome | undefined): StoreEvent[] {
  if (outcome?.type === "put" && operation.type === "put") {
    const { key, value } = operation;
    return [{ type: "put", entry: { key, value, revision: outcome.revision } }];
  }
  if (outcome?.type !== "deleted") return [];
  const { keys, revision } = outcome;
  return keys.map((key) => ({ type: "delete", key, revision }));
}

function entryOf({ key, value, revision }: Row): StoreEntry {
  return { key, value, revision };
}
