/**
 * A store in one SQLite file, for one or several processes of a host.
 *
 * ```
 *  put, delete ─> batch ─> thread ─> one transaction, one fsync ─> answers, watches
 *                   ^ collects writes during the previous transaction            ^
 *  another process ─> journal of the file ─> thread is notified ─> looks ────────┘
 * ```
 */
import { NetloomError } from "../../errors/errors.ts";
import type { Watch } from "../../async/watch.ts";
import type { Scope } from "../../async/scope.ts";
import type { Clock } from "../../async/clock.ts";
import { type Expiring, ExpiryQueue, NO_SLOT } from "../../async/expiry-queue.ts";
import { Signal } from "../../async/signal.ts";
import type { PutOptions, Store, StoreEntry, StoreEvent } from "../../world/store.ts";
import type {
  StoreBatch,
  Database,
  StoreOperation,
  BatchOutcome,
  BatchRefusal,
  Reply,
  Row,
} from "./batch.ts";
import { WatchHistory } from "../watch-history.ts";

export interface SqliteStoreOptions {
  /** The result of `openDatabase` in thread.ts. */
  readonly database: Database;
  /** The host's monotonic time, shared by all processes that have the file open. */
  readonly clock: Clock;
  /** Parent of the tasks that write and that end leases. */
  readonly scope: Scope;
  /** The number of past changes that a watch can start from, within this process. Default: 10,000. */
  readonly historyLimit?: number;
}

interface Waiting {
  readonly operation: StoreOperation;
  readonly settle: (outcome: BatchOutcome) => void;
}

/**
 * A lease that this process has renewed. It is queued until its end has to be written to the file. There may be as many as
 * endpoints, so times are whole numbers, in milliseconds since the store was opened.
 */
interface KnownLease extends Expiring {
  readonly name: string;
  readonly ttlMs: number;
  /** The end of the lease. */
  untilMs: number;
  /** The end of the lease in the file, which other processes go by. */
  storedMs: number;
}

/** The pause after the disk has refused to store the ends of leases. */
const RETRY_MS = 1000;

/**
 * The longest time before a renewal is written to the file, for a lease with less than half of its time left in the file.
 */
const FLUSH_MS = 1000;

/** A lease whose end in the file is closer than this is renewed there at once. */
const MARGIN_MS = 5 * FLUSH_MS;

/** The interval at which expired leases are removed from memory. */
const SWEEP_MS = 60_000;

/**
 * Guarantees, beyond those of every store
 * - An acknowledged write is on disk, even after `kill -9` and loss of power (WAL, synchronous=FULL).
 * - The event loop never waits for the disk, and concurrent writes share one fsync.
 * - Several processes may open one file. Each learns of the others' writes within milliseconds, at the latest after a
 *   second. They take turns to write.
 * - Any process that has the file open ends leases, whoever has renewed them: the file holds their ends, on the host's
 *   monotonic time. `keepAlive` writes nothing while half of the time is left in the file, and otherwise writes within a
 *   second, so the leases of a process that dies keep half of their time. If no process had the file open, all leases
 *   restart.
 * - A full disk refuses writes with RESOURCE_EXHAUSTED. Reads continue, no lease ends, and writes succeed once there is
 *   room.
 * - A file that is deleted, moved or replaced while it is open refuses writes with FAILED_PRECONDITION until it is back.
 */
export class SqliteStore implements Store {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #history: WatchHistory;
  /** The time of opening, on the host's monotonic time. */
  readonly #openedMs: number;
  readonly #leases = new Map<string, KnownLease>();
  /** Leases whose renewal is not in the file yet, by the time when it must be. */
  readonly #unwritten = new ExpiryQueue<KnownLease>();
  #nextEndMs = 0;
  #restUntilMs = 0;
  #sweepAtMs = SWEEP_MS;
  /** Rings when a task becomes due earlier than before. */
  readonly #sooner = new Signal();
  #waiting: Waiting[] = [];
  #isWriting = false;

  constructor({ database, clock, scope, historyLimit }: SqliteStoreOptions) {
    this.#database = database;
    this.#clock = clock;
    this.#scope = scope;
    this.#openedMs = Math.floor(clock.monotonicMs());
    this.#history = new WatchHistory({
      since: database.revision,
      ...(historyLimit !== undefined && { limit: historyLimit }),
    });
    scope.spawn("tend leases", (task) => this.#tend(task));
  }

  async get(key: string): Promise<StoreEntry | undefined> {
    const outcome = await this.#run({ type: "get", key });
    return outcome.type === "rows" ? outcome.rows.map(entryOf)[0] : undefined;
  }

  async list(
    prefix: string,
  ): Promise<{ readonly entries: readonly StoreEntry[]; readonly revision: number }> {
    const outcome = await this.#run({ type: "list", prefix });
    if (outcome.type !== "rows") return { entries: [], revision: 0 };
    const entries = outcome.rows.map(entryOf);
    return { entries: entries.sort((a, b) => (a.key < b.key ? -1 : 1)), revision: outcome.revision };
  }

  async put(key: string, value: Uint8Array, options: PutOptions = {}): Promise<number> {
    const { lease, expectedRevision } = options;
    const outcome = await this.#run({ type: "put", key, value: value.slice(), lease, expectedRevision });
    return outcome.type === "put" ? outcome.revision : 0;
  }

  async delete(key: string, options: { readonly expectedRevision?: number } = {}): Promise<number> {
    const outcome = await this.#run({ type: "delete", key, expectedRevision: options.expectedRevision });
    return outcome.type === "deleted" ? outcome.revision : 0;
  }

  async keepAlive(name: string): Promise<number> {
    const nowMs = this.#nowMs();
    const known = this.#leases.get(name);
    const leftMs = (known?.storedMs ?? 0) - nowMs;
    if (known && leftMs > MARGIN_MS) {
      known.untilMs = nowMs + known.ttlMs;
      this.#writeBy(known, 2 * leftMs > known.ttlMs ? known.storedMs - MARGIN_MS : nowMs + FLUSH_MS);
      return known.ttlMs;
    }
    const outcome = await this.#run({ type: "keep-alive", lease: name });
    return outcome.type === "kept" ? outcome.ttlMs : 0;
  }

  watch(prefix: string, revision: number): Watch<StoreEvent> {
    return this.#history.watch(prefix, revision);
  }

  /** Reports changes by other processes to the watches. */
  look(): void {
    if (!this.#scope.ended) this.#enqueue({ operation: { type: "look" }, settle: () => undefined });
  }

  /** Writes pending renewals to the file, and ends due leases. */
  async #tend(scope: Scope): Promise<void> {
    const dueMs = (): number =>
      Math.max(this.#restUntilMs, Math.min(this.#unwritten.nextMs, this.#nextEndMs));
    while (!scope.ended) {
      const leftMs = dueMs() - this.#nowMs();
      if (leftMs > 0) await this.#sooner.wait(this.#clock, scope, leftMs);
      else await this.#run({ type: "look" });
    }
  }

  #run(operation: StoreOperation): Promise<BatchOutcome> {
    return new Promise((resolve, reject) => {
      const settle = (outcome: BatchOutcome): void => {
        if (outcome.type === "refused") reject(errorOf(outcome));
        else resolve(outcome);
      };
      this.#enqueue({ operation, settle });
    });
  }

  #enqueue(waiting: Waiting): void {
    if (this.#scope.ended) throw new NetloomError("CANCELLED", "use the store: it is closed");
    this.#waiting.push(waiting);
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#scope.spawn("write", () => this.#write());
  }

  /** Writes batches until no operation waits. Operations that arrive during a batch form the next one. */
  async #write(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        const waiting = this.#waiting;
        this.#waiting = [];
        const batch = this.#batch(waiting.map(({ operation }) => operation));
        const reply = await this.#database.run(batch);
        this.#publish(batch, reply);
        this.#tended(batch, reply);
        for (const [index, { settle }] of waiting.entries()) settle(reply.outcomes[index] ?? NO_OUTCOME);
      }
    } finally {
      this.#isWriting = false;
    }
  }

  #batch(operations: readonly StoreOperation[]): StoreBatch {
    const nowMs = this.#nowMs();
    const renewals = new Map<string, number>();
    for (const { name, untilMs } of this.#unwritten.takeEnded(nowMs))
      renewals.set(name, this.#openedMs + untilMs);
    return { nowMs: this.#openedMs + nowMs, renewals, operations };
  }

  /** Queues a lease to be written by `atMs`. */
  #writeBy(known: KnownLease, atMs: number): void {
    known.endsAtMs = atMs;
    if (this.#unwritten.schedule(known)) this.#sooner.ring();
  }

  #publish({ operations }: StoreBatch, { news, forgotten, outcomes }: Reply): void {
    if (forgotten !== undefined) this.#history.forget(forgotten);
    const own = operations.flatMap((operation, index) => eventsOf(operation, outcomes[index]));
    this.#history.publish([...news, ...own]);
  }

  /** Updates the known leases after a batch. */
  #tended({ nowMs: sentMs, renewals, operations }: StoreBatch, reply: Reply): void {
    const { outcomes, lost, isTended, nextEndMs } = reply;
    const nowMs = sentMs - this.#openedMs;
    for (const [name, untilMs] of renewals) {
      const known = this.#leases.get(name);
      if (known && isTended) known.storedMs = Math.max(known.storedMs, untilMs - this.#openedMs);
      else if (known) this.#writeBy(known, nowMs + FLUSH_MS);
    }
    for (const name of lost) this.#forget(name);
    for (const [index, operation] of operations.entries()) {
      const outcome = outcomes[index];
      const name = leaseOf(operation);
      if (name === undefined || (outcome?.type !== "put" && outcome?.type !== "kept")) continue;
      this.#isStored(name, outcome.ttlMs ?? 0, nowMs);
    }
    this.#nextEndMs = nextEndMs - this.#openedMs;
    if (!isTended) this.#restUntilMs = nowMs + RETRY_MS;
    this.#sweep(nowMs);
    this.#sooner.ring();
  }

  #isStored(name: string, lengthMs: number, nowMs: number): void {
    const ttlMs = Math.floor(lengthMs);
    const storedMs = nowMs + ttlMs;
    const known = this.#leases.get(name);
    if (known?.ttlMs === ttlMs) {
      known.storedMs = storedMs;
      // A renewal in memory may have extended the lease meanwhile.
      known.untilMs = Math.max(known.untilMs, storedMs);
      return;
    }
    this.#forget(name);
    this.#leases.set(name, { name, ttlMs, untilMs: storedMs, storedMs, endsAtMs: 0, slot: NO_SLOT });
  }

  #nowMs(): number {
    return Math.floor(this.#clock.monotonicMs()) - this.#openedMs;
  }

  #forget(name: string): void {
    const known = this.#leases.get(name);
    if (!known) return;
    this.#unwritten.drop(known);
    this.#leases.delete(name);
  }

  #sweep(nowMs: number): void {
    if (nowMs < this.#sweepAtMs) return;
    this.#sweepAtMs = nowMs + SWEEP_MS;
    for (const [name, { untilMs }] of this.#leases) if (untilMs <= nowMs) this.#forget(name);
  }
}

/** Turns a refusal into an error. */
export function errorOf({ code, message, hint, topic }: BatchRefusal): NetloomError {
  return new NetloomError(code, message, { hint, ...(topic && { topic }) });
}

const NO_OUTCOME = {
  type: "refused",
  code: "INTERNAL",
  message: "use the store: its thread has not answered",
} as const satisfies BatchOutcome;

function leaseOf(operation: StoreOperation): string | undefined {
  if (operation.type === "put") return operation.lease?.name;
  return operation.type === "keep-alive" ? operation.lease : undefined;
}

function eventsOf(operation: StoreOperation, outcome: BatchOutcome | undefined): StoreEvent[] {
  if (outcome?.type === "put" && operation.type === "put") {
    const { key, value } = operation;
    return [{ type: "put", entry: { key, value, revision: outcome.revision } }];
  }
  if (outcome?.type !== "deleted" || operation.type !== "delete" || !outcome.isChange) return [];
  return [{ type: "delete", key: operation.key, revision: outcome.revision }];
}

function entryOf({ key, value, revision }: Row): StoreEntry {
  return { key, value, revision };
}
