/**
 * Opens the file of a store: checks its owner, integrity and format. Runs in the database thread.
 *
 * ```
 *  alone? ──yes──► check, make or upgrade, restart leases ──┐
 *    └─ no: another process has it open, and has done that ─┴──► open, shared
 * ```
 * Source: https://www.sqlite.org/pragma.html#pragma_application_id, https://www.sqlite.org/wal.html#noshm
 */
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { ErrorCode } from "../../errors/errors.ts";
import type { BatchRefusal } from "./batch.ts";

/** "NLst". Marks a file of a store from its first transaction on. */
const APPLICATION_ID = 0x4e_4c_73_74;

/**
 * Format 1 added checksums to entries. Format 2 has leases with names and ends, and keeps the last changes for other
 * processes.
 */
const FORMAT = 2;

/** The time to wait for other processes that hold the file, or its write lock. */
export const LOCK_PATIENCE_MS = 5000;

/** Long enough for another process to check a large file that it has opened alone. */
const OPEN_PATIENCE_MS = 30_000;
const OPEN_PAUSE_MS = 10;

/**
 * SQLite's own time-out for a lock. Short, because SQLite retries at growing intervals; the callers here retry themselves.
 */
const BUSY_MS = 2;

/** Opens without a shared-memory file: fails if another process has the file open, and keeps all others out. */
const ALONE = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
`;

const SHARED = `
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 16777216;
`;

const LEASES = `
  CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL, ends_ms REAL NOT NULL) WITHOUT ROWID;
  CREATE INDEX ends ON leases (ends_ms);
  CREATE TABLE changes (n INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value BLOB);
`;

const MARK = `
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

/** One transaction, so that a file with the mark is complete. */
const CREATE = `
  BEGIN IMMEDIATE;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT, checksum INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO counters VALUES ('revision', 0);
  ${LEASES} ${MARK}
  COMMIT;
`;

/** Format 0 had neither mark nor checksums. */
const FROM_0 = `
  BEGIN IMMEDIATE;
  ALTER TABLE entries ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
  UPDATE entries SET checksum = checksum_of(key, value, revision, lease);
  DROP TABLE leases;
  DELETE FROM counters WHERE name = 'lease';
  ${LEASES} ${MARK}
  COMMIT;
`;

/** Format 1 had numbered leases, which nothing used. */
const FROM_1 = `
  BEGIN IMMEDIATE;
  DROP TABLE leases;
  DELETE FROM counters WHERE name = 'lease';
  ${LEASES} ${MARK}
  COMMIT;
`;

const MOVE_AWAY = "move the file away, and start again: hosts register anew what they offer";

const SQLITE_CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [3, "PERMISSION_DENIED"],
  [5, "UNAVAILABLE"],
  [8, "PERMISSION_DENIED"],
  [13, "RESOURCE_EXHAUSTED"],
  [14, "NOT_FOUND"],
]);

/** https://www.sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** The file cannot be used as a store. */
class UnusableFile extends Error {
  readonly hint: string;

  constructor(why: string, hint: string) {
    super(why);
    this.hint = hint;
  }
}

/**
 * Opens the file, creates it if it is missing or empty, and checks all of it once. If no other process has it open, all
 * leases restart with their full time: nobody could keep them alive in the meantime, and a reboot resets the monotonic
 * time. `nowMs` is the current monotonic time.
 */
export function openFile(file: string, nowMs: number, patienceMs = OPEN_PATIENCE_MS): DatabaseSync {
  const openedAt = performance.now();
  const elapsed = (): number => performance.now() - openedAt;
  let isPrepared = false;
  for (;;) {
    try {
      isPrepared ||= prepareAlone(file, () => nowMs + elapsed());
      return openShared(file, isPrepared);
    } catch (error) {
      if (!isBusy(error) || elapsed() > patienceMs) throw error;
      pause(OPEN_PAUSE_MS);
    }
  }
}

/** False if another process has the file open. */
function prepareAlone(file: string, nowMs: () => number): boolean {
  return using(file, (database) => {
    try {
      // Before any change to the file.
      database.exec("PRAGMA locking_mode = EXCLUSIVE");
      const change = changeOf(database);
      database.exec(ALONE);
      checkPages(database);
      database.exec(change);
      checkSums(database);
      // The changes are kept only for processes that have the file open at the same time.
      database.exec("DELETE FROM changes");
      database.prepare("UPDATE leases SET ends_ms = ttl_ms + ?").run(nowMs());
    } catch (error) {
      if (isBusy(error)) return false;
      throw error;
    }
    return true;
  });
}

function openShared(file: string, isChecked: boolean): DatabaseSync {
  const database = open(file);
  try {
    // A file under creation has no mark yet.
    if (changeOf(database) !== "") throw busy();
    database.exec(SHARED);
    if (!isChecked) {
      checkPages(database);
      checkSums(database);
    }
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

function open(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: BUSY_MS });
  // SQL function: the checksum over all fields of an entry.
  database.function("checksum_of", { deterministic: true }, (key, value, revision, lease) =>
    checksumOf(String(key), value as Uint8Array, Number(revision), lease as string | null),
  );
  return database;
}

/** The checksum of an entry, stored in its last column. */
export function checksumOf(key: string, value: Uint8Array, revision: number, lease: string | null): number {
  return crc32(`${key}\0${revision}\0${lease}`, crc32(value));
}

function using<T>(file: string, use: (database: DatabaseSync) => T): T {
  const database = open(file);
  try {
    return use(database);
  } finally {
    database.close();
  }
}

/** The SQL that turns the file into a store of the current format; empty if it is one. */
function changeOf(database: DatabaseSync): string {
  const id = pragma(database, "application_id");
  const format = pragma(database, "user_version");
  if (id === 0 && format === 0) {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all();
    const names = tables.map(({ name }) => name).join(" ");
    if (names === "") return CREATE;
    if (names === "counters entries leases") return FROM_0;
  }
  if (id !== APPLICATION_ID)
    throw new UnusableFile(
      "it is not a store of this program; nothing in it was changed",
      "name a file of its own",
    );
  if (format === 1) return FROM_1;
  if (format !== FORMAT)
    throw new UnusableFile(
      `its format is ${String(format)}, and this program reads ${FORMAT}`,
      `use the program that made it, or ${MOVE_AWAY}`,
    );
  return "";
}

/** Refuses a damaged file as a whole: missing entries would count as unregistered. */
function checkPages(database: DatabaseSync): void {
  const found = pragma(database, "quick_check(1)");
  if (found !== "ok") throw new UnusableFile(`it is damaged: ${String(found)}`, MOVE_AWAY);
}

function checkSums(database: DatabaseSync): void {
  const [bad] = database
    .prepare(
      "SELECT key FROM entries WHERE checksum <> checksum_of(key, value, revision, lease) ORDER BY key LIMIT 1",
    )
    .all();
  if (bad) throw new UnusableFile(`it is damaged: the checksum of ${String(bad["key"])} is wrong`, MOVE_AWAY);
}

function pragma(database: DatabaseSync, name: string): unknown {
  return Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
}

/** Blocks the thread, which has nothing else to do. */
function pause(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

function busy(): Error {
  return Object.assign(new Error("database is locked"), { errcode: SQLITE_BUSY });
}

/** Does another process hold the lock for the moment? */
export function isBusy(error: unknown): boolean {
  return ((error as { readonly errcode?: number }).errcode ?? 0) % 256 === SQLITE_BUSY;
}

/** Turns an error of SQLite or of this file into a refusal. */
export function refusalOf(attempt: string, file: string, error: unknown): BatchRefusal {
  const what = `${attempt} ${file}`;
  if (error instanceof UnusableFile) return unusable(`${what}: ${error.message}`, error.hint);
  const { errcode = 0, message } = error as Error & { readonly errcode?: number };
  if ((errcode & 0xff) === SQLITE_CORRUPT) return unusable(`${what}: it is damaged: ${message}`, MOVE_AWAY);
  if ((errcode & 0xff) === SQLITE_NOTADB) {
    const why = "it is not a database, or its first page is damaged";
    return unusable(`${what}: ${why}`, `name a file of its own, or ${MOVE_AWAY}`);
  }
  const code = SQLITE_CODES.get(errcode & 0xff) ?? "INTERNAL";
  const hint = code === "RESOURCE_EXHAUSTED" ? { hint: "free space there: df -h" } : {};
  return { type: "refused", code, message: `${what}: ${message}`, ...hint };
}

export function unusable(message: string, hint: string): BatchRefusal {
  return { type: "refused", code: "FAILED_PRECONDITION", message, hint, topic: "NL-306" };
}
