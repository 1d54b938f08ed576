/**
 * The thread that has the database: takes batches, makes each one transaction. One of the edges of the deterministic zone.
 * Source: https://www.sqlite.org/wal.html, https://www.sqlite.org/rescode.html
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { Operation, Outcome, Refusal, Row } from "./batch.ts";
import { FileWatch, openFile, refusalOf } from "./file.ts";
import type { Answer, DatabaseOptions } from "./thread.ts";

const { file, maxPages } = workerData as DatabaseOptions;

class Transactions {
  readonly #database: DatabaseSync;
  readonly #get;
  readonly #list;
  readonly #put;
  readonly #delete;
  readonly #endLease;
  readonly #forgetLease;
  readonly #grantLease;
  readonly #count;
  readonly #setCount;
  readonly #fileProblem: () => Refusal | undefined;
  #revision: number;

  constructor(database: DatabaseSync, fileProblem: () => Refusal | undefined) {
    this.#database = database;
    this.#fileProblem = fileProblem;
    const columns = "key, value, revision, lease";
    this.#get = database.prepare(`SELECT ${columns} FROM entries WHERE key = ?`);
    this.#list = database.prepare(`SELECT ${columns} FROM entries WHERE key >= ? AND key < ?`);
    this.#put = database.prepare(
      "INSERT OR REPLACE INTO entries VALUES (?1, ?2, ?3, ?4, checksum_of(?1, ?2, ?3, ?4))",
    );
    this.#delete = database.prepare("DELETE FROM entries WHERE key = ? RETURNING key");
    this.#endLease = database.prepare("DELETE FROM entries WHERE lease = ? RETURNING key");
    this.#forgetLease = database.prepare("DELETE FROM leases WHERE lease = ?");
    this.#grantLease = database.prepare("INSERT INTO leases VALUES (?, ?)");
    this.#count = database.prepare("SELECT value FROM counters WHERE name = ?");
    this.#setCount = database.prepare("UPDATE counters SET value = ? WHERE name = ?");
    this.#revision = this.#counter("revision");
  }

  get revision(): number {
    return this.#revision;
  }

  run(batch: readonly Operation[]): Outcome[] {
    const before = this.#revision;
    if (batch.every(isRead)) return batch.map((operation) => this.#attempt(operation));
    const problem = this.#fileProblem();
    if (problem) return this.#refuseWrites(batch, problem);
    try {
      this.#database.exec("BEGIN IMMEDIATE");
      const outcomes = batch.map((operation) => this.#do(operation));
      if (this.#revision !== before) this.#setCount.run(this.#revision, "revision");
      this.#database.exec("COMMIT");
      return outcomes;
    } catch (error) {
      this.#revision = before;
      // Some errors have ended the transaction already.
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      return this.#refuseWrites(batch, refusalOf("write to the store", file, error));
    }
  }

  #refuseWrites(batch: readonly Operation[], refused: Refusal): Outcome[] {
    return batch.map((operation) => (isRead(operation) ? this.#attempt(operation) : refused));
  }

  #attempt(operation: Operation): Outcome {
    try {
      return this.#do(operation);
    } catch (error) {
      return refusalOf("read the store", file, error);
    }
  }

  #do(operation: Operation): Outcome {
    switch (operation.type) {
      case "get":
        return this.#rows(this.#get.all(operation.key));
      case "list":
        return this.#rows(this.#list.all(operation.prefix, `${operation.prefix}\u{10ffff}`));
      case "put": {
        const { key, value, lease } = operation;
        const refused = this.#check(`put ${key}`, operation);
        if (refused) return refused;
        this.#revision += 1;
        this.#put.run(key, value, this.#revision, lease);
        return { type: "put", revision: this.#revision };
      }
      case "delete":
        return (
          this.#check(`delete ${operation.key}`, operation) ?? this.#deleted(this.#delete.all(operation.key))
        );
      case "grant-lease": {
        const number = this.#counter("lease") + 1;
        this.#setCount.run(number, "lease");
        this.#grantLease.run(`lease-${number}`, operation.ttlMs);
        return { type: "granted", lease: `lease-${number}` };
      }
      case "end-lease":
      default:
        this.#forgetLease.run(operation.lease);
        return this.#deleted(this.#endLease.all(operation.lease));
    }
  }

  #check(
    what: string,
    { key, expectedRevision }: { readonly key: string; readonly expectedRevision: number | undefined },
  ): Refusal | undefined {
    if (expectedRevision === undefined) return undefined;
    const revision = Number(this.#get.get(key)?.["revision"] ?? 0);
    if (revision === expectedRevision) return undefined;
    const message = `${what}: it is at revision ${revision}, not ${expectedRevision}`;
    return { type: "refused", code: "ABORTED", message };
  }

  #rows(rows: readonly object[]): Outcome {
    return { type: "rows", rows: rows as readonly Row[], revision: this.#revision };
  }

  #deleted(rows: readonly object[]): Outcome {
    const keys = (rows as readonly { readonly key: string }[]).map(({ key }) => key);
    if (keys.length > 0) this.#revision += 1;
    return { type: "deleted", keys, revision: this.#revision };
  }

  #counter(name: "revision" | "lease"): number {
    return Number(this.#count.get(name)?.["value"] ?? 0);
  }
}

function isRead({ type }: Operation): boolean {
  return type === "get" || type === "list";
}

function openRefusal(error: unknown): Refusal {
  if (!statSync(file, { throwIfNoEntry: false })?.isDirectory())
    return refusalOf("open the store", file, error);
  const message = `open the store ${file}: it is a folder; name a file in it`;
  return { type: "refused", code: "INVALID_ARGUMENT", message };
}

function open(): DatabaseSync {
  const database = openFile(file);
  if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`);
  return database;
}

function send(answer: Answer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
  parentPort?.postMessage(answer);
}

try {
  const database = open();
  const watched = new FileWatch(file, (problem) => send({ type: "kept", problem }));
  const transactions = new Transactions(database, () => watched.problem("write to the store"));
  const leases = database.prepare("SELECT lease, ttl_ms AS ttlMs FROM leases").all();
  parentPort?.on("message", (message: readonly Operation[] | "close") => {
    if (message !== "close") {
      send({ type: "outcomes", outcomes: transactions.run(message) });
      return;
    }
    watched.close();
    database.close();
    parentPort?.close();
  });
  send({
    type: "opened",
    opened: {
      revision: transactions.revision,
      leases: leases as unknown as readonly { readonly lease: string; readonly ttlMs: number }[],
    },
  });
} catch (error) {
  send(openRefusal(error));
}
