import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rootScope } from "../../async/task-scope.ts";
import { NetloomError } from "../../errors/errors.ts";
import type { Clock } from "../../async/clock.ts";
import { storeContract } from "../contract.ts";
import type { Database } from "./batch.ts";
import { type DatabaseOptions, openDatabase } from "./thread.ts";
import { SqliteStore } from "./sqlite-store.ts";

const HISTORY_LIMIT = 20;

/** Time that passes when the test says so. */
class HandClock implements Clock {
  #nowMs = 0;
  readonly #sleepers = new Set<{ readonly atMs: number; readonly wake: () => void }>();

  wallMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  sleep(durationMs: number, scope?: Parameters<Clock["sleep"]>[1]): Promise<void> {
    return new Promise((resolve, reject) => {
      const sleeper = { atMs: this.#nowMs + durationMs, wake: resolve };
      this.#sleepers.add(sleeper);
      scope?.onEnd(() => reject(new NetloomError("CANCELLED", "sleep: the scope has ended")));
    });
  }

  pass(durationMs: number): void {
    this.#nowMs += durationMs;
    for (const sleeper of this.#sleepers) {
      if (sleeper.atMs > this.#nowMs) continue;
      this.#sleepers.delete(sleeper);
      sleeper.wake();
    }
  }
}

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "nlt-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function open(file: string, options: Omit<DatabaseOptions, "file"> = {}) {
  const clock = new HandClock();
  const scope = rootScope("store", clock);
  const database = await openDatabase({ file, ...options });
  const store = new SqliteStore({ database, clock, scope, historyLimit: HISTORY_LIMIT });
  const close = async (): Promise<void> => {
    await scope.end();
    await database.close();
  };
  return { store, clock, close };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

suite("the promises of every store", () => {
  for (const { title, check } of storeContract) {
    test(title, async (context) => {
      const { store, clock, close } = await open(join(directory(context), "store.db"));
      await check({
        store,
        pass: async (durationMs) => {
          clock.pass(durationMs);
          // What the passing of time has started is done before the next read.
          await store.get("");
        },
        compact: async () => {
          for (let n = 0; n < HISTORY_LIMIT; n++) await store.put("filler", new Uint8Array());
        },
      });
      await close();
    });
  }
});

test("keys, revisions and leases are there when the file is opened again, and leases begin anew", async (context) => {
  const file = join(directory(context), "store.db");
  const first = await open(file);
  const lease = await first.store.grantLease(1000);
  const revision = await first.store.put("a", bytes("1"), { lease });
  await first.close();

  const second = await open(file);
  assert.deepEqual(await second.store.get("a"), { key: "a", value: bytes("1"), revision });
  second.clock.pass(900);
  await second.store.keepAlive(lease);
  assert.ok((await second.store.put("b", bytes("2"))) > revision);
  assert.notEqual(await second.store.grantLease(1000), lease);
  await assert.rejects(second.store.watch("", revision - 1).take(), { code: "FAILED_PRECONDITION" });
  second.clock.pass(1100);
  assert.equal(await second.store.get("a"), undefined);
  await second.close();
});

test("writes that come together are one transaction", async (context) => {
  const database = await openDatabase({ file: join(directory(context), "store.db") });
  const batches: number[] = [];
  const counted: Database = {
    opened: database.opened,
    run: (batch) => {
      batches.push(batch.length);
      return database.run(batch);
    },
    close: () => database.close(),
  };
  const clock = new HandClock();
  const scope = rootScope("store", clock);
  const store = new SqliteStore({ database: counted, clock, scope });
  await Promise.all(Array.from({ length: 1000 }, (_, n) => store.put(`k${n}`, bytes("v"))));
  assert.ok(batches.length <= 2, batches.join(" "));
  await scope.end();
  await database.close();
});

test("a full disk refuses writes and answers reads, and takes writes again when there is room", async (context) => {
  const { store, close } = await open(join(directory(context), "store.db"), { maxPages: 24 });
  const value = new Uint8Array(1000);
  const written: string[] = [];
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 1000; n++) {
      await store.put(`k${n}`, value);
      written.push(`k${n}`);
    }
  };
  await assert.rejects(fill(), (error: NetloomError) => {
    assert.equal(error.code, "RESOURCE_EXHAUSTED");
    assert.match(error.message, /write to the store .*store\.db: database or disk is full/);
    assert.match(error.hint ?? "", /free space/);
    return true;
  });
  assert.ok(written.length > 10);
  const both = await Promise.allSettled([store.put("x", value), store.get("k0"), store.list("k")]);
  assert.deepEqual(
    both.map(({ status }) => status),
    ["rejected", "fulfilled", "fulfilled"],
  );
  const { entries, revision } = await store.list("");
  assert.equal(entries.length, written.length);
  for (const key of written.slice(0, 5)) await store.delete(key);
  assert.ok((await store.put("x", value)) > revision);
  await close();
});

test("the file belongs to one process, and a path that is none is refused", async (context) => {
  const path = directory(context);
  const first = await open(join(path, "store.db"));
  await assert.rejects(openDatabase({ file: join(path, "store.db") }), {
    code: "ALREADY_EXISTS",
    message: /open the store .*store\.db: database is locked/,
  });
  await first.close();
  await assert.rejects(openDatabase({ file: join(path, "missing", "store.db") }), { code: "NOT_FOUND" });
  await assert.rejects(openDatabase({ file: path }), {
    code: "INVALID_ARGUMENT",
    message: /a folder; name a file/,
  });
});

/** A store with 100 entries, closed. */
async function filled(file: string): Promise<void> {
  const { store, close } = await open(file);
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.put(`k${n}`, new Uint8Array(200).fill(n))));
  await close();
}

suite("a file that is not whole, or not its own, is refused as a whole, and left as it was", () => {
  const foreign = (sql: string) => (file: string) => {
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
  };
  const damaged = (change: (content: Buffer) => Buffer) => async (file: string) => {
    await filled(file);
    writeFileSync(file, change(readFileSync(file)));
  };
  const flipped = (content: Buffer): Buffer => {
    const at = content.lastIndexOf(new Uint8Array(200).fill(42));
    content[at + 100]! ^= 1;
    return content;
  };
  const cases: readonly (readonly [string, (file: string) => Promise<void> | void, RegExp, RegExp])[] = [
    [
      "a text",
      (file) => writeFileSync(file, "this is no database, and long enough to be looked at".repeat(20)),
      /it is no database, or its first page is damaged/,
      /name a file of its own, or move the file away/,
    ],
    [
      "another program's database",
      foreign("CREATE TABLE entries (a)"),
      /it is not a store of this program/,
      /name a file of its own/,
    ],
    [
      "another program's database with a mark",
      foreign("PRAGMA application_id = 7"),
      /it is not a store of this program/,
      /name a file of its own/,
    ],
    [
      "one of a later format",
      async (file) => {
        await filled(file);
        foreign("PRAGMA user_version = 99")(file);
      },
      /its format is 99, and this program reads 1/,
      /use the program that made it, or move/,
    ],
    [
      "one that was cut off",
      damaged((content) => content.subarray(0, content.length / 2)),
      /it is damaged/,
      /move the file away, and start again/,
    ],
    ["one with a bit flipped", damaged(flipped), /the checksum of k42 is wrong/, /move the file away/],
  ];
  for (const [title, make, message, hint] of cases)
    test(title, async (context) => {
      const file = join(directory(context), "store.db");
      await make(file);
      const before = readFileSync(file);
      await assert.rejects(openDatabase({ file }), (error: NetloomError) => {
        assert.deepEqual([error.code, error.topic], ["FAILED_PRECONDITION", "NL-306"], error.message);
        assert.match(error.message, message);
        assert.match(error.hint ?? "", hint);
        return true;
      });
      assert.deepEqual(readFileSync(file), before);
    });
});

for (const [how, lose] of [
  ["deleted", (file: string) => rmSync(file)],
  ["moved", (file: string) => renameSync(file, `${file}.old`)],
  [
    "replaced",
    (file: string) => {
      renameSync(file, `${file}.old`);
      writeFileSync(file, "");
    },
  ],
  ["without its journal", (file: string) => rmSync(`${file}-wal`)],
] as const)
  test(`a file that is ${how} while it is open takes no writes, says so, and is read all the same`, async (context) => {
    const file = join(directory(context), "store.db");
    const told = Promise.withResolvers<NetloomError | undefined>();
    const { store, close } = await open(file, { onProblem: told.resolve });
    await store.put("a", bytes("1"));
    lose(file);
    assert.match((await told.promise)?.message ?? "", /keep the store .* while it was open; nothing is kept/);
    await assert.rejects(store.put("b", bytes("2")), { code: "FAILED_PRECONDITION", topic: "NL-306" });
    assert.equal((await store.list("")).entries.length, 1);
    await close();
  });

test("a file that comes back to its place takes writes again", async (context) => {
  const file = join(directory(context), "store.db");
  const told: (string | undefined)[] = [];
  const { promise: isBack, resolve } = Promise.withResolvers<void>();
  const { store, close } = await open(file, {
    onProblem: (problem) => {
      told.push(problem?.code);
      if (problem) renameSync(`${file}.old`, file);
      else resolve();
    },
  });
  renameSync(file, `${file}.old`);
  await isBack;
  await store.put("a", bytes("1"));
  assert.deepEqual(told, ["FAILED_PRECONDITION", undefined]);
  await close();
});

test("a file of the first format is taken over", async (context) => {
  const file = join(directory(context), "store.db");
  const database = new DatabaseSync(file);
  database.exec(`
    CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
    CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
    CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('revision', 7), ('lease', 0);
    INSERT INTO entries VALUES ('a', x'31', 7, NULL);
  `);
  database.close();
  for (let life = 0; life < 2; life++) {
    const { store, close } = await open(file);
    assert.deepEqual(await store.get("a"), { key: "a", value: bytes("1"), revision: 7 });
    await close();
  }
});

test("kill -9 in the middle of writes loses nothing that was acknowledged", async (context) => {
  const file = join(directory(context), "store.db");
  const writer = fileURLToPath(new URL("./writer-fixture.ts", import.meta.url));
  let total = 0;
  for (const [round, goal] of [60, 1, 200].entries()) {
    const child = spawn(process.execPath, [writer, file, String(round)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const acknowledged: string[] = [];
    let rest = "";
    const reached = Promise.withResolvers<void>();
    child.stdout.on("data", (chunk: Buffer) => {
      const lines = (rest + chunk.toString()).split("\n");
      rest = lines.pop() ?? "";
      acknowledged.push(...lines);
      if (acknowledged.length >= goal) reached.resolve();
    });
    const closed = new Promise((resolve) => child.once("close", resolve));
    await reached.promise;
    child.kill("SIGKILL");
    await closed;
    const { store, close } = await open(file);
    const kept = new Set((await store.list(`${round}/`)).entries.map(({ key }) => key));
    assert.deepEqual(
      acknowledged.filter((key) => !kept.has(key)),
      [],
    );
    total += acknowledged.length;
    await close();
  }
  assert.ok(total > 100, `${total} writes`);
});
