/** Writes until it is killed, and prints the keys that were acknowledged: `writer-fixture.ts FILE PREFIX`. */
import { writeSync } from "node:fs";
import { rootScope } from "../../async/task-scope.ts";
import { openDatabase } from "./thread.ts";
import { SqliteStore } from "./sqlite-store.ts";

const [, , file = "", prefix = ""] = process.argv;
// Of no use to a writer.
const clock = { wallMs: () => 0, monotonicMs: () => 0, sleep: () => new Promise<void>(() => undefined) };
const database = await openDatabase({ file, nowMs: 0 });
const store = new SqliteStore({ database, clock, scope: rootScope("writer", clock) });

async function write(task: number): Promise<void> {
  for (let n = 0; ; n++) {
    const key = `${prefix}/${task}/${n}`;
    await store.put(key, new Uint8Array(500));
    writeSync(1, `${key}\n`);
  }
}

await Promise.all([0, 1, 2, 3].map(write));
