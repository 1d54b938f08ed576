/**
 * The file of a store: whose it is, whether it is whole, and whether it is still there. Run by the thread that has the
 * database. Source: https://www.sqlite.org/pragma.html#pragma_application_id, https://www.sqlite.org/howtocorrupt.html
 */
import { statSync, watch } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { crc32 } from "node:zlib";
import type { ErrorCode } from "../../errors/errors.ts";
import type { Refusal } from "./batch.ts";

/** "NLst". Every file of a store has it from its first transaction on. */
const APPLICATION_ID = 0x4e_4c_73_74;

/** 1: entries have checksums. */
const FORMAT = 1;

/** Without a shared-memory file: the lock is the process's as long as it is open. */
const PREPARE = `
  PRAGMA locking_mode = EXCLUSIVE;
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = FULL;
  PRAGMA journal_size_limit = 16777216;
`;

/** All at once, so that a file which has the mark is complete. */
const CREATE = `
  BEGIN IMMEDIATE;
  CREATE TABLE entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT, checksum INTEGER NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
  CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL) WITHOUT ROWID;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO counters VALUES ('revision', 0), ('lease', 0);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`;

/** From the first format, which had no mark and no checksums. */
const UPGRADE = `
  BEGIN IMMEDIATE;
  ALTER TABLE entries ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
  UPDATE entries SET checksum = checksum_of(key, value, revision, lease);
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
  COMMIT;
`;

const MOVE_AWAY = "move the file away, and start again: hosts register anew what they offer";

const SQLITE_CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [3, "PERMISSION_DENIED"],
  [5, "ALREADY_EXISTS"],
  [8, "PERMISSION_DENIED"],
  [13, "RESOURCE_EXHAUSTED"],
  [14, "NOT_FOUND"],
]);

/** https://www.sqlite.org/rescode.html */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/** Why a file cannot be a store. */
class UnusableFile extends Error {
  readonly hint: string;

  constructor(why: string, hint: string) {
    super(why);
    this.hint = hint;
  }
}

/** Opens the file for this process alone, makes it if it is missing or empty, and reads all of it once. */
export function openFile(file: string): DatabaseSync {
  const database = new DatabaseSync(file, { timeout: 0 });
  // As SQL has it: a checksum over all that an entry says.
  database.function("checksum_of", { deterministic: true }, (key, value, revision, lease) =>
    crc32(`${String(key)}\0${String(revision)}\0${String(lease)}`, crc32(value as Uint8Array)),
  );
  try {
    const change = changeOf(database);
    database.exec(PREPARE);
    checkPages(database);
    database.exec(change);
    checkSums(database);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** What makes it a store of this format. */
function changeOf(database: DatabaseSync): string {
  const id = pragma(database, "application_id");
  const format = pragma(database, "user_version");
  if (id === 0 && format === 0) {
    const tables = database
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
      .all();
    const names = tables.map(({ name }) => name).join(" ");
    if (names === "") return CREATE;
    if (names === "counters entries leases") return UPGRADE;
  }
  if (id !== APPLICATION_ID)
    throw new UnusableFile(
      "it is not a store of this program; nothing in it was changed",
      "name a file of its own",
    );
  if (format !== FORMAT)
    throw new UnusableFile(
      `its format is ${String(format)}, and this program reads ${FORMAT}`,
      `use the program that made it, or ${MOVE_AWAY}`,
    );
  return "";
}

/** A part of it is worse than nothing: what is missing would be taken for unregistered. */
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

/** What to say of an error of SQLite, or of this file. */
export function refusalOf(attempt: string, file: string, error: unknown): Refusal {
  const what = `${attempt} ${file}`;
  if (error instanceof UnusableFile) return unusable(`${what}: ${error.message}`, error.hint);
  const { errcode = 0, message } = error as Error & { readonly errcode?: number };
  if ((errcode & 0xff) === SQLITE_CORRUPT) return unusable(`${what}: it is damaged: ${message}`, MOVE_AWAY);
  if ((errcode & 0xff) === SQLITE_NOTADB) {
    const why = "it is no database, or its first page is damaged";
    return unusable(`${what}: ${why}`, `name a file of its own, or ${MOVE_AWAY}`);
  }
  const code = SQLITE_CODES.get(errcode & 0xff) ?? "INTERNAL";
  const hint = code === "RESOURCE_EXHAUSTED" ? { hint: "free space there: df -h" } : {};
  return { type: "refused", code, message: `${what}: ${message}`, ...hint };
}

function unusable(message: string, hint: string): Refusal {
  return { type: "refused", code: "FAILED_PRECONDITION", message, hint, topic: "NL-306" };
}

/**
 * Notices when an open file, or its journal, is not at its path any more: what is written then is gone with the process.
 * Tells `onChange` when that is so, and with `undefined` when it is back.
 */
export class FileWatch {
  readonly #file: string;
  /** By path, what was there first. */
  readonly #places = new Map<string, string>();
  readonly #end: () => void;

  constructor(file: string, onChange: (problem: Refusal | undefined) => void) {
    this.#file = file;
    this.problem("");
    let told: string | undefined;
    const watcher = watch(dirname(file), { persistent: false }, (event) => {
      // What is written to them is a "change".
      if (event !== "rename") return;
      const problem = this.problem("keep the store");
      if (problem?.message !== told) onChange(problem);
      told = problem?.message;
    });
    // Its folder is gone: the next write finds that out.
    watcher.on("error", () => undefined);
    this.#end = () => watcher.close();
  }

  /** `undefined` as long as the files are where they were opened. */
  problem(attempt: string): Refusal | undefined {
    for (const path of [this.#file, `${this.#file}-wal`]) {
      const found = identityOf(path);
      const known = this.#places.get(path) ?? found;
      if (known !== undefined) this.#places.set(path, known);
      if (known === found) continue;
      const how = found === undefined ? "deleted or moved" : "replaced by another";
      return unusable(
        `${attempt} ${this.#file}: ${path} was ${how} while it was open; nothing is kept any more`,
        "put it back, or end the registry and start it again: hosts register anew what they offer",
      );
    }
    return undefined;
  }

  close(): void {
    this.#end();
  }
}

function identityOf(path: string): string | undefined {
  const found = statSync(path, { throwIfNoEntry: false, bigint: true });
  return found && `${found.dev} ${found.ino}`;
}
