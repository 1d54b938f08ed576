/**
 * A store in one SQLite file, for one process or several of one host.
 *
 * ```
 *  put, delete ─> batch ─> thread ─> one transaction, one fsync ─> answers, watches
 *                   ^ gathers while the transaction before it is under way      ^
 *  another process ─> journal of the file ─> thread hears it ─> looks ──────────┘
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
  /** `openDatabase` of thread.ts. */
  readonly database: Database;
  /** Its monotonic time is that of the host: all processes that have the file open go by it. */
  readonly clock: Clock;
  /** The home of the tasks that write and that wait for leases to end. */
  readonly scope: Scope;
  /** How many changes a watch can go back, within this process. Default: 10,000. */
  readonly historyLimit?: number;
}

interface Waiting {
  readonly operation: StoreOperation;
  readonly settle: (outcome: BatchOutcome) => void;
}

/**
 * A lease that this process has kept alive. What it waits for is its way into the file. There may be as many as endpoints,
 * so times are whole numbers, since the store was opened.
 */
interface KnownLease extends Expiring {
  readonly name: string;
  readonly ttlMs: number;
  /** When it is over. */
  untilMs: number;
  /** The same as the file has it: what other processes go by. */
  storedMs: number;
}

/** After the disk has not taken the ends of leases. */
const RETRY_MS = 1000;

/** How long a lease with less than half of its time may wait for its way into the file. */
const FLUSH_MS = 1000;

/** One that ends sooner than this, as the file has it, is kept alive there at once. */
const MARGIN_MS = 5 * FLUSH_MS;

/** How often those that nobody keeps alive any more are forgotten. */
const SWEEP_MS = 60_000;

/**
 * Guarantees, beyond those of every store
 * - What was acknowledged is on the disk, also after `kill -9` and loss of power (WAL, synchronous=FULL).
 * - The event loop never waits for the disk, and writes that come together share one fsync.
 * - Several processes may open one file: each hears what another has written within milliseconds, at the latest after a
 *   second. They take turns to write.
 * - Any process that has the file open ends leases, whoever has kept them alive: the file has when, on the monotonic time
 *   of the host. `keepAlive` writes nothing as long as half of the time is left there, and within a second otherwise: a
 *   process that dies has left its leases half of their time. After a time in which nobody had the file open all begin
 *   anew.
 * - A full disk refuses writes with RESOURCE_EXHAUSTED; reads go on, no lease ends, and writes go on once there is room.
 * - A file that is deleted, moved or replaced while it is open refuses writes with FAILED_PRECONDITION until it is back.
 */
export class SqliteStore implements Store {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #scope: Scope;
  readonly #history: WatchHistory;
  /** When it was opened, on the host's monotonic time. */
  readonly #openedMs: number;
  readonly #leases = new Map<string, KnownLease>();
  /** Leases that the file does not know as they are, by the time at which it has to. */
  readonly #unwritten = new ExpiryQueue<KnownLease>();
  #nextEndMs = 0;
  #restUntilMs = 0;
  #sweepAtMs = SWEEP_MS;
  /** Rings when there is something to do earlier than before. */
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

  /** Another process may have changed something: the watches are told. */
  look(): void {
    if (!this.#scope.ended) this.#enqueue({ operation: { type: "look" }, settle: () => undefined });
  }

  /** Brings into the file what is only in memory, and lets leases end. */
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

  /** Until nothing waits. What comes while a batch is written is the next batch. */
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

  /** `endsAtMs` is when its time in the queue ends. */
  #writeBy(known: KnownLease, atMs: number): void {
    known.endsAtMs = atMs;
    if (this.#unwritten.schedule(known)) this.#sooner.ring();
  }

  #publish({ operations }: StoreBatch, { news, forgotten, outcomes }: Reply): void {
    if (forgotten !== undefined) this.#history.forget(forgotten);
    const own = operations.flatMap((operation, index) => eventsOf(operation, outcomes[index]));
    this.#history.publish([...news, ...own]);
  }

  /** What the file knows of leases now. */
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
      // It may have been kept alive in memory meanwhile.
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

/** What was refused, as an error. */
export function errorOf({ code, message, hint, topic }: BatchRefusal): NetloomError {
  return new NetloomError(code, message, { ...(hint !== undefined && { hint }), ...(topic && { topic }) });
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
