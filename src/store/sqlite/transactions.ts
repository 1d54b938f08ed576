/**
 * Runs batches as transactions in the database thread. Several processes may have the file open: a transaction that writes
 * first takes the file's single write lock, and reads the changes by other processes since the last one. Belongs to the
 * edge of the deterministic zone.
 * Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/rescode.html
 */
import type { DatabaseSync } from "node:sqlite";
import type { Lease, StoreEvent } from "../../world/store.ts";
import type { StoreBatch, StoreOperation, BatchOutcome, BatchRefusal, Reply, Row } from "./batch.ts";
import { checksumOf, isBusy, LOCK_PATIENCE_MS, refusalOf } from "./file.ts";

/** The number of changes kept for other processes. A process that is further behind lists again. */
const CHANGES = 10_000;

/** Old changes are deleted in steps of this size. */
const FORGET_AT_ONCE = 1000;

type Durability = "FULL" | "NORMAL";

export class Transactions {
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #fileProblem: () => BatchRefusal | undefined;
  readonly #sql;
  #durability: Durability = "FULL";
  /** Leases started or renewed in the current batch, by name, with their time to live. */
  readonly #begun = new Map<string, number>();
  /** The last revision and change number that this process has seen. */
  #revision: number;
  #change: number;

  constructor(database: DatabaseSync, file: string, fileProblem: () => BatchRefusal | undefined) {
    this.#database = database;
    this.#file = file;
    this.#fileProblem = fileProblem;
    this.#sql = statements(database);
    database.exec("BEGIN");
    this.#revision = this.#storedRevision();
    this.#change = Number(this.#sql.lastChange.get()?.["n"] ?? 0);
    database.exec("COMMIT");
  }

  get revision(): number {
    return this.#revision;
  }

  run(batch: StoreBatch): Reply {
    const isWrite = batch.renewals.size > 0 || !batch.operations.every(isRead);
    if (!isWrite && this.#nextEndMs() > batch.nowMs) return this.#read(batch, undefined);
    const problem = this.#fileProblem();
    if (problem) return this.#read(batch, problem);
    const before = { revision: this.#revision, change: this.#change };
    try {
      this.#setDurability(batch.operations.some(isChange) ? "FULL" : "NORMAL");
      this.#begin();
      const reply = this.#write(batch);
      this.#database.exec("COMMIT");
      return reply;
    } catch (error) {
      ({ revision: this.#revision, change: this.#change } = before);
      // Some errors have already ended the transaction.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return this.#read(batch, refusalOf("write to the store", this.#file, error));
    }
  }

  /** Retries often: the lock has no queue, and its holder may take it again at once. */
  #begin(): void {
    const giveUpAt = performance.now() + LOCK_PATIENCE_MS;
    for (;;) {
      try {
        this.#database.exec("BEGIN IMMEDIATE");
        return;
      } catch (error) {
        if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      }
    }
  }

  /** After a power failure leases restart, so a transaction that only concerns leases need not wait for the disk. */
  #setDurability(wanted: Durability): void {
    if (this.#durability === wanted) return;
    this.#database.exec(`PRAGMA synchronous = ${wanted}`);
    this.#durability = wanted;
  }

  #write({ nowMs, renewals, operations }: StoreBatch): Reply {
    const { news, forgotten } = this.#hear();
    const [revision, change] = [this.#revision, this.#change];
    const lost = [...renewals].flatMap(([lease, endMs]) =>
      this.#sql.renew.run(endMs, lease).changes === 0 ? [lease] : [],
    );
    const ended = this.#endLeases(nowMs);
    this.#begun.clear();
    const outcomes = operations.map((operation) => this.#do(operation, nowMs));
    if (this.#revision !== revision) this.#sql.setRevision.run(this.#revision);
    const isDue = Math.floor(this.#change / FORGET_AT_ONCE) > Math.floor(change / FORGET_AT_ONCE);
    if (isDue) this.#sql.forget.run(this.#change - CHANGES);
    const nextEndMs = this.#nextEndMs();
    return { news: [...news, ...ended], forgotten, outcomes, lost, nextEndMs, isTended: true };
  }

  #read({ nowMs, operations }: StoreBatch, refused: BatchRefusal | undefined): Reply {
    try {
      this.#database.exec("BEGIN");
      const { news, forgotten } = this.#hear();
      const outcomes = operations.map((operation) =>
        refused && !isRead(operation) ? refused : this.#attempt(operation, nowMs),
      );
      const nextEndMs = this.#nextEndMs();
      this.#database.exec("COMMIT");
      return { news, forgotten, outcomes, lost: [], nextEndMs, isTended: !refused };
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      const unread = refusalOf("read the store", this.#file, error);
      const outcomes = operations.map((operation) => (isRead(operation) ? unread : (refused ?? unread)));
      return { news: [], forgotten: undefined, outcomes, lost: [], nextEndMs: nowMs, isTended: false };
    }
  }

  /** Changes by other processes. Within a transaction, so nobody makes more before its end. */
  #hear(): Pick<Reply, "news" | "forgotten"> {
    const revision = this.#storedRevision();
    if (revision === this.#revision) return { news: [], forgotten: undefined };
    const changes = this.#sql.changes.all(this.#change) as unknown as readonly Change[];
    const isWhole = changes[0]?.n === this.#change + 1;
    this.#revision = revision;
    this.#change = changes.at(-1)?.n ?? this.#change;
    return isWhole ? { news: changes.map(eventOf), forgotten: undefined } : { news: [], forgotten: revision };
  }

  /** Ends the leases that are due according to the file. Any process may do this: the file holds the others' renewals, too. */
  #endLeases(nowMs: number): StoreEvent[] {
    const due = this.#sql.due.all(nowMs) as readonly unknown[] as readonly { readonly lease: string }[];
    return due.flatMap(({ lease }) => {
      this.#sql.forgetLease.run(lease);
      const keys = this.#sql.deleteOfLease.all(lease) as readonly unknown[] as readonly KeyRow[];
      if (keys.length > 0) this.#revision += 1;
      return keys.map(({ key }): StoreEvent => {
        this.#log(key, null);
        return { type: "delete", key, revision: this.#revision };
      });
    });
  }

  #attempt(operation: StoreOperation, nowMs: number): BatchOutcome {
    try {
      return this.#do(operation, nowMs);
    } catch (error) {
      return refusalOf("read the store", this.#file, error);
    }
  }

  #do(operation: StoreOperation, nowMs: number): BatchOutcome {
    switch (operation.type) {
      case "get":
        return this.#rows(this.#sql.get.all(operation.key));
      case "list":
        return this.#rows(this.#sql.list.all(operation.prefix, `${operation.prefix}\u{10ffff}`));
      case "look":
        return { type: "looked" };
      case "put":
        return this.#put(operation, nowMs);
      case "delete": {
        const { key } = operation;
        const refused = this.#check(`delete ${key}`, operation);
        if (refused) return refused;
        const isChange = this.#sql.delete.run(key).changes > 0;
        if (isChange) {
          this.#revision += 1;
          this.#log(key, null);
        }
        return { type: "deleted", isChange, revision: this.#revision };
      }
      case "keep-alive":
      default: {
        const kept = this.#sql.keepAlive.get(nowMs, operation.lease);
        if (kept) return { type: "kept", ttlMs: Number(kept["ttlMs"]) };
        const message = `keep lease ${operation.lease} alive: it is over`;
        return { type: "refused", code: "NOT_FOUND", message };
      }
    }
  }

  #put(operation: Extract<StoreOperation, { type: "put" }>, nowMs: number): BatchOutcome {
    const { key, value, lease, expectedRevision } = operation;
    const revision = this.#revision + 1;
    const held = lease?.name ?? null;
    const checksum = checksumOf(key, value, revision, held);
    const row = [key, value, revision, held, checksum] as const;
    const { put, putNew, putOver } = this.#sql;
    // A single statement checks and writes.
    const { changes } = !expectedRevision
      ? (expectedRevision === 0 ? putNew : put).run(...row)
      : putOver.run(...row, expectedRevision);
    if (changes === 0) return this.#overtaken(`put ${key}`, this.#revisionOf(key), expectedRevision);
    this.#revision = revision;
    this.#log(key, value);
    return { type: "put", revision, ttlMs: lease && this.#beginLease(lease, nowMs) };
  }

  /** Starts or renews a lease and returns its time to live. Once for all keys of a batch, because they share its time. */
  #beginLease({ name, ttlMs }: Lease, nowMs: number): number {
    const known = this.#begun.get(name);
    if (known !== undefined) return known;
    const isNew = this.#sql.beginLease.run(name, ttlMs, nowMs + ttlMs).changes > 0;
    const begun = isNew ? ttlMs : Number(this.#sql.keepAlive.get(nowMs, name)?.["ttlMs"]);
    this.#begun.set(name, begun);
    return begun;
  }

  #check(
    what: string,
    { key, expectedRevision }: { readonly key: string; readonly expectedRevision: number | undefined },
  ): BatchRefusal | undefined {
    if (expectedRevision === undefined) return undefined;
    const revision = this.#revisionOf(key);
    return revision === expectedRevision ? undefined : this.#overtaken(what, revision, expectedRevision);
  }

  #overtaken(what: string, revision: number, expected: number | undefined): BatchRefusal {
    const message = `${what}: it is at revision ${revision}, not ${expected}`;
    return { type: "refused", code: "ABORTED", message };
  }

  #revisionOf(key: string): number {
    return Number(this.#sql.revisionOf.get(key)?.["revision"] ?? 0);
  }

  /** Logs the change for other processes. */
  #log(key: string, value: Uint8Array | null): void {
    this.#change += 1;
    this.#sql.log.run(this.#change, this.#revision, key, value);
  }

  #rows(rows: readonly object[]): BatchOutcome {
    return { type: "rows", rows: rows as readonly Row[], revision: this.#revision };
  }

  #nextEndMs(): number {
    const { at } = this.#sql.nextEnd.get() as { readonly at: number | null };
    return at ?? Infinity;
  }

  #storedRevision(): number {
    return Number(this.#sql.revision.get()?.["value"] ?? 0);
  }
}

interface KeyRow {
  readonly key: string;
}

interface Change {
  readonly n: number;
  readonly revision: number;
  readonly key: string;
  readonly value: Uint8Array | null;
}

function eventOf({ key, value, revision }: Change): StoreEvent {
  return value === null
    ? { type: "delete", key, revision }
    : { type: "put", entry: { key, value, revision } };
}

/** Prepared statements for the operations, to be used within a transaction. */
function statements(database: DatabaseSync) {
  const columns = "key, value, revision";
  return {
    get: database.prepare(`SELECT ${columns} FROM entries WHERE key = ?`),
    revisionOf: database.prepare("SELECT revision FROM entries WHERE key = ?"),
    list: database.prepare(`SELECT ${columns} FROM entries WHERE key >= ? AND key < ?`),
    put: database.prepare("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?)"),
    putNew: database.prepare("INSERT INTO entries VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"),
    putOver: database.prepare(
      "UPDATE entries SET value = ?2, revision = ?3, lease = ?4, checksum = ?5 WHERE key = ?1 AND revision = ?6",
    ),
    delete: database.prepare("DELETE FROM entries WHERE key = ?"),
    deleteOfLease: database.prepare("DELETE FROM entries WHERE lease = ? RETURNING key"),
    beginLease: database.prepare("INSERT INTO leases VALUES (?, ?, ?) ON CONFLICT DO NOTHING"),
    keepAlive: database.prepare(
      "UPDATE leases SET ends_ms = ?1 + ttl_ms WHERE lease = ?2 RETURNING ttl_ms AS ttlMs",
    ),
    renew: database.prepare("UPDATE leases SET ends_ms = max(ends_ms, ?) WHERE lease = ?"),
    due: database.prepare("SELECT lease FROM leases WHERE ends_ms <= ? ORDER BY ends_ms, lease"),
    nextEnd: database.prepare("SELECT min(ends_ms) AS at FROM leases"),
    forgetLease: database.prepare("DELETE FROM leases WHERE lease = ?"),
    revision: database.prepare("SELECT value FROM counters WHERE name = 'revision'"),
    setRevision: database.prepare("UPDATE counters SET value = ? WHERE name = 'revision'"),
    log: database.prepare("INSERT INTO changes VALUES (?, ?, ?, ?)"),
    changes: database.prepare("SELECT n, revision, key, value FROM changes WHERE n > ? ORDER BY n"),
    lastChange: database.prepare("SELECT max(n) AS n FROM changes"),
    forget: database.prepare("DELETE FROM changes WHERE n <= ?"),
  };
}

/** Is the operation read-only? */
function isRead({ type }: StoreOperation): boolean {
  return type === "get" || type === "list" || type === "look";
}

/** Does the operation change data that must survive a power failure? */
function isChange({ type }: StoreOperation): boolean {
  return type === "put" || type === "delete";
}
