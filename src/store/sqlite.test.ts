import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { rootScope } from "../chain/scope.ts";
import { NetloomError } from "../world/errors.ts";
import type { Clock } from "../world/world.ts";
import { storeContract } from "./contract.ts";
import type { Database } from "./sqlite-batch.ts";
import { openDatabase } from "./sqlite-thread.ts";
import { SqliteStore } from "./sqlite.ts";

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

async function open(file: string, options: { readonly maxPages?: number } = {}) {
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
  await assert.rejects(second.store.watch("", revision - 1).next(), { code: "FAILED_PRECONDITION" });
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

test("the file belongs to one process, and one that is no database is refused", async (context) => {
  const path = directory(context);
  const first = await open(join(path, "store.db"));
  await assert.rejects(openDatabase({ file: join(path, "store.db") }), {
    code: "ALREADY_EXISTS",
    message: /open the store .*store\.db: database is locked/,
  });
  await first.close();
  writeFileSync(
    join(path, "other.db"),
    "this is no database, and it is long enough to be looked at".repeat(20),
  );
  await assert.rejects(openDatabase({ file: join(path, "other.db") }), { code: "INTERNAL" });
  await assert.rejects(openDatabase({ file: join(path, "missing", "store.db") }), { code: "NOT_FOUND" });
  await assert.rejects(openDatabase({ file: path }), {
    code: "INVALID_ARGUMENT",
    message: /a folder; name a file/,
  });
});

test("kill -9 in the middle of writes loses nothing that was acknowledged", async (context) => {
  const file = join(directory(context), "store.db");
  const writer = fileURLToPath(new URL("./sqlite-writer-fixture.ts", import.meta.url));
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
