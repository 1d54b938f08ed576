import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { suite, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { rootScope } from "../../async/task-scope.ts";
import { until } from "../../../fixtures/async/until.ts";
import type { NetloomError } from "../../errors/errors.ts";
import { HandClock } from "../../../fixtures/store/hand-clock.ts";
import type { Database } from "./batch.ts";
import { type DatabaseOptions, openDatabase } from "./thread.ts";
import { SqliteStore } from "./sqlite-store.ts";

function directory(context: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "nlt-"));
  context.after(() => rmSync(path, { recursive: true }));
  return path;
}

async function open(
  file: string,
  {
    clock = new HandClock(),
    ...options
  }: Omit<DatabaseOptions, "file" | "nowMs"> & { readonly clock?: HandClock } = {},
) {
  const scope = rootScope("store", clock);
  let store: SqliteStore | undefined;
  const onTouched = (): void => store?.look();
  const database = await openDatabase({ file, nowMs: clock.monotonicMs(), onTouched, ...options });
  store = new SqliteStore({ database, clock, scope });
  const close = async (): Promise<void> => {
    await scope.end();
    await database.close();
  };
  /** Closes the database without flushing the store. */
  const die = (): Promise<void> => database.close();
  return { store, clock, close, die };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const LEASE = { name: "lease", ttlMs: 60_000 };

test("a reopened file has its keys, revisions and leases, and leases restart", async (context) => {
  const file = join(directory(context), "store.db");
  const first = await open(file);
  first.clock.pass(1e6);
  const revision = await first.store.put("a", bytes("1"), { lease: LEASE });
  await first.close();

  // As after a reboot, the monotonic time starts anew.
  const second = await open(file);
  assert.deepEqual(await second.store.get("a"), { key: "a", value: bytes("1"), revision });
  second.clock.pass(54_000);
  await second.store.keepAlive(LEASE.name);
  assert.ok((await second.store.put("b", bytes("2"))) > revision);
  await assert.rejects(second.store.watch("", revision - 1).take(), { code: "FAILED_PRECONDITION" });
  second.clock.pass(61_000);
  assert.equal(await second.store.get("a"), undefined);
  await second.close();
});

test("concurrent writes share one transaction", async (context) => {
  const database = await openDatabase({ file: join(directory(context), "store.db"), nowMs: 0 });
  const batches: number[] = [];
  const counted: Database = {
    revision: database.revision,
    run: (batch) => {
      batches.push(batch.operations.length);
      return database.run(batch);
    },
    close: () => database.close(),
  };
  const clock = new HandClock();
  const scope = rootScope("store", clock);
  const store = new SqliteStore({ database: counted, clock, scope });
  await Promise.all(Array.from({ length: 1000 }, (_, n) => store.put(`k${n}`, bytes("v"))));
  assert.ok(batches.length <= 2, batches.join(" "));
  await Promise.all(Array.from({ length: 1000 }, (_, n) => store.put(`k${n}`, bytes("v"), { lease: LEASE })));
  const before = batches.length;
  for (let n = 0; n < 1000; n++) assert.equal(await store.keepAlive(LEASE.name), LEASE.ttlMs);
  assert.equal(batches.length, before, "keeping a lease alive writes nothing at once");
  await scope.end();
  await database.close();
});

/** Two stores of one file on one clock, as in two processes of one host. */
async function both(context: TestContext) {
  const file = join(directory(context), "store.db");
  const clock = new HandClock();
  const [first, second] = [await open(file, { clock }), await open(file, { clock })];
  /** Advances the clock in steps, so that each store does its due work in time. */
  const pass = async (durationMs: number, those = [first, second]): Promise<void> => {
    for (let passed = 0; passed < durationMs; passed += 1000) {
      clock.pass(Math.min(1000, durationMs - passed));
      for (const { store } of those) await store.get("");
    }
  };
  return { file, clock, pass, first, second };
}

suite("two stores with one file open", () => {
  test("report each other's changes to watches", async (context) => {
    const { first, second } = await both(context);
    const watch = second.store.watch("", (await second.store.list("")).revision);
    const revision = await first.store.put("a", bytes("1"));
    const entry = { key: "a", value: bytes("1"), revision };
    assert.deepEqual(await watch.take(), { type: "put", entry });
    await first.store.delete("a");
    assert.equal((await watch.take())?.type, "delete");
    await first.close();
    await second.close();
  });

  test("end no lease that either keeps alive, and end it when neither does", async (context) => {
    const { first, second, pass } = await both(context);
    await first.store.put("a", bytes("1"), { lease: LEASE });
    for (const { store } of [first, first, second, first, second]) {
      await pass(40_000);
      await store.keepAlive(LEASE.name);
    }
    await first.close();
    await pass(58_000, [second]);
    assert.equal((await second.store.list("")).entries.length, 1);
    await pass(3000, [second]);
    assert.equal((await second.store.list("")).entries.length, 0);
    await second.close();
  });

  test("take over from a process that dies: a lease it renewed in its last second keeps half of its time or more", async (context) => {
    const { first, second, pass, clock } = await both(context);
    await first.store.put("a", bytes("1"), { lease: LEASE });
    await pass(29_000);
    // The process dies before the renewal is in the file.
    await first.store.keepAlive(LEASE.name);
    await first.die();
    clock.pass(30_000);
    assert.equal(await second.store.keepAlive(LEASE.name), LEASE.ttlMs);
    assert.equal((await second.store.list("")).entries.length, 1);
    await second.close();
  });

  test("restart no lease when one of them opens or closes the file", async (context) => {
    const { file, clock, pass, first, second } = await both(context);
    await first.store.put("a", bytes("1"), { lease: LEASE });
    await pass(50_000);
    await second.close();
    const third = await open(file, { clock });
    clock.pass(11_000);
    assert.equal(await third.store.get("a"), undefined);
    await first.close();
    await third.close();
  });

  test("fail the watch when another process has made more changes than the file keeps", async (context) => {
    const { file, clock, first, second } = await both(context);
    await second.close();
    const database = await openDatabase({ file, nowMs: clock.monotonicMs() });
    let gate = Promise.resolve();
    const gated: Database = {
      revision: database.revision,
      run: async (batch) => {
        await gate;
        return await database.run(batch);
      },
      close: () => database.close(),
    };
    const scope = rootScope("store", clock);
    const slow = new SqliteStore({ database: gated, clock, scope });
    const watch = slow.watch("", (await slow.list("")).revision);
    const { promise, resolve } = Promise.withResolvers<void>();
    gate = promise;
    for (let round = 0; round < 3; round++)
      await Promise.all(Array.from({ length: 6000 }, (_, n) => first.store.put(`k${n}`, bytes("v"))));
    resolve();
    const list = await slow.list("");
    await assert.rejects(watch.take(), { code: "FAILED_PRECONDITION" });
    assert.equal(list.entries.length, 6000);
    const fresh = slow.watch("", list.revision);
    await first.store.put("z", bytes("1"));
    slow.look();
    assert.equal((await fresh.take())?.type, "put");
    await first.close();
    await scope.end();
    await gated.close();
  });
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

test("opening waits for a file that another process has locked, and is refused in the end", async (context) => {
  const file = join(directory(context), "store.db");
  await filled(file);
  const holder = new DatabaseSync(file);
  holder.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN IMMEDIATE; COMMIT");
  await assert.rejects(openDatabase({ file, nowMs: 0, patienceMs: 20 }), {
    code: "UNAVAILABLE",
    message: /open the store .*store\.db: database is locked/,
    hint: /an earlier version/,
  });
  const opening = open(file);
  holder.close();
  const { store, close } = await opening;
  assert.equal((await store.list("")).entries.length, 100);
  await close();
});

test("an unusable path is refused", async (context) => {
  const path = directory(context);
  const file = join(path, "missing", "store.db");
  await assert.rejects(openDatabase({ file, nowMs: 0 }), { code: "NOT_FOUND" });
  await assert.rejects(openDatabase({ file: path, nowMs: 0 }), {
    code: "INVALID_ARGUMENT",
    message: /a folder; name a file/,
  });
});

/** Makes and closes a store with 100 entries. */
async function filled(file: string): Promise<void> {
  const { store, close } = await open(file);
  await Promise.all(Array.from({ length: 100 }, (_, n) => store.put(`k${n}`, new Uint8Array(200).fill(n))));
  await close();
}

suite("a foreign, damaged or incomplete file is refused and left unchanged", () => {
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
    const value = new Uint8Array(200).fill(42);
    for (let at = content.indexOf(value); at >= 0; at = content.indexOf(value)) content[at + 100]! ^= 1;
    return content;
  };
  const cases: readonly (readonly [string, (file: string) => Promise<void> | void, RegExp, RegExp])[] = [
    [
      "a text file",
      (file) => writeFileSync(file, "this is not a database, and long enough to be looked at".repeat(20)),
      /it is not a database, or its first page is damaged/,
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
      /not a store/,
      /name a file/,
    ],
    [
      "a store of a later format",
      async (file) => {
        await filled(file);
        foreign("PRAGMA user_version = 99")(file);
      },
      /its format is 99, and this program reads 2/,
      /use the program that made it, or move/,
    ],
    [
      "a truncated store",
      damaged((content) => content.subarray(0, content.length / 2)),
      /it is damaged/,
      /move the file away, and start again/,
    ],
    ["a store with a flipped bit", damaged(flipped), /the checksum of k42 is wrong/, /move the file away/],
  ];
  for (const [title, make, message, hint] of cases)
    test(title, async (context) => {
      const file = join(directory(context), "store.db");
      await make(file);
      const before = readFileSync(file);
      await assert.rejects(openDatabase({ file, nowMs: 0 }), (error: NetloomError) => {
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
  test(`a file that is ${how} while it is open refuses writes, reports it, and still answers reads`, async (context) => {
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

test("a file that is moved back to its path takes writes again", async (context) => {
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

/** Files of earlier versions, with lease numbers that nothing used. */
const OLD_FORMATS = {
  "the first format": `
    CREATE TABLE entries (key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
    CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
    CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('revision', 7), ('lease', 0);
    INSERT INTO entries VALUES ('a', x'31', 7, NULL);
  `,
  "the format of version 0.1": `
    PRAGMA journal_mode = WAL;
    CREATE TABLE entries (
      key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, lease TEXT, checksum INTEGER NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX leased ON entries (lease) WHERE lease IS NOT NULL;
    CREATE TABLE leases (lease TEXT PRIMARY KEY, ttl_ms REAL NOT NULL) WITHOUT ROWID;
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
    INSERT INTO counters VALUES ('revision', 7), ('lease', 0);
    INSERT INTO entries VALUES ('a', x'31', 7, NULL, ${crc32(["a", "7", "null"].join("\0"), crc32("1"))});
    PRAGMA application_id = 0x4e4c7374;
    PRAGMA user_version = 1;
  `,
};

for (const [format, sql] of Object.entries(OLD_FORMATS))
  test(`a file of ${format} is upgraded`, async (context) => {
    const file = join(directory(context), "store.db");
    const database = new DatabaseSync(file);
    database.exec(sql);
    database.close();
    for (let life = 0; life < 2; life++) {
      const { store, close } = await open(file);
      assert.deepEqual(await store.get("a"), { key: "a", value: bytes("1"), revision: 7 });
      await close();
    }
    const { store, close } = await open(file);
    assert.equal(await store.put("b", bytes("2"), { lease: LEASE }), 8);
    await close();
  });

/** Starts a process that writes. `reached` resolves when `goal` keys are acknowledged. */
function writer(file: string, prefix: string, goal: number) {
  const program = fileURLToPath(new URL("../../../fixtures/store/sqlite-writer.ts", import.meta.url));
  const child = spawn(process.execPath, [program, file, prefix], { stdio: ["ignore", "pipe", "inherit"] });
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
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await closed;
  };
  return { acknowledged, reached: reached.promise, kill };
}

/** The acknowledged keys that are missing in the file. */
async function missingIn(file: string, prefix: string, acknowledged: readonly string[]): Promise<string[]> {
  const { store, close } = await open(file);
  const kept = new Set((await store.list(`${prefix}/`)).entries.map(({ key }) => key));
  await close();
  return acknowledged.filter((key) => !kept.has(key));
}

test("kill -9 in the middle of writes loses no acknowledged key", async (context) => {
  const file = join(directory(context), "store.db");
  let total = 0;
  for (const [round, goal] of [60, 1, 200].entries()) {
    const { acknowledged, reached, kill } = writer(file, String(round), goal);
    await reached;
    await kill();
    assert.deepEqual(await missingIn(file, String(round), acknowledged), []);
    total += acknowledged.length;
  }
  assert.ok(total > 100, `${total} writes`);
});

test("two processes write to one file, and one continues when the other is killed in the middle", async (context) => {
  const file = join(directory(context), "store.db");
  const [killed, other] = [writer(file, "a", 100), writer(file, "b", 100)];
  await Promise.all([killed.reached, other.reached]);
  await killed.kill();
  const enough = other.acknowledged.length + 100;
  await until(() => other.acknowledged.length > enough);
  await other.kill();
  assert.deepEqual(await missingIn(file, "a", killed.acknowledged), []);
  assert.deepEqual(await missingIn(file, "b", other.acknowledged), []);
});
