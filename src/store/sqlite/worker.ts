/**
 * The database thread: runs batches, and reports writes by other processes. Belongs to the edge of the deterministic zone.
 *
 * The file system notifies of changes to the journal within a millisecond. The thread then compares `PRAGMA data_version`
 * to find out whether another process has written, at most once in 5 ms. It also compares once a second, in case a
 * notification is lost.
 * Source: https://www.sqlite.org/pragma.html#pragma_data_version, inotify(7)
 */
import { statSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { parentPort, workerData } from "node:worker_threads";
import type { StoreBatch, BatchRefusal } from "./batch.ts";
import { FileWatch } from "./file-watch.ts";
import { isBusy, openFile, refusalOf } from "./file.ts";
import type { ThreadAnswer, ThreadData } from "./thread.ts";
import { Transactions } from "./transactions.ts";

/** The shortest time between two comparisons of the data version. */
const LOOK_MS = 5;
const LOOK_ANYWAY_MS = 1000;

const { file, maxPages, nowMs, patienceMs } = workerData as ThreadData;

function openRefusal(error: unknown): BatchRefusal {
  const refusal = refusalOf("open the store", file, error);
  if (isBusy(error))
    return {
      ...refusal,
      hint: "end the process that keeps it for itself: an earlier version of this program, or another one",
    };
  if (!statSync(file, { throwIfNoEntry: false })?.isDirectory()) return refusal;
  const message = `open the store ${file}: it is a folder; name a file in it`;
  return { type: "refused", code: "INVALID_ARGUMENT", message };
}

function send(answer: ThreadAnswer): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
  parentPort?.postMessage(answer);
}

/** Reports writes by other processes until `end` is called. */
function listenToOthers(database: DatabaseSync): { readonly onWrite: () => void; readonly end: () => void } {
  const version = database.prepare("PRAGMA data_version");
  const read = (): unknown => version.get()?.["data_version"];
  let seen = read();
  const look = (): void => {
    const now = read();
    if (now !== seen) send({ type: "touched" });
    seen = now;
  };
  let soon: NodeJS.Timeout | undefined;
  let lookedAt = -Infinity;
  const onWrite = (): void => {
    soon ??= setTimeout(
      () => {
        soon = undefined;
        lookedAt = performance.now();
        look();
      },
      Math.max(0, lookedAt + LOOK_MS - performance.now()),
    );
  };
  const timer = setInterval(look, LOOK_ANYWAY_MS);
  const end = (): void => {
    clearInterval(timer);
    clearTimeout(soon);
  };
  return { onWrite, end };
}

try {
  const database = openFile(file, nowMs, patienceMs);
  if (maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${maxPages}`);
  const others = listenToOthers(database);
  const onProblem = (problem: BatchRefusal | undefined): void => send({ type: "problem", problem });
  const watched = new FileWatch(file, { onProblem, onWrite: others.onWrite });
  const transactions = new Transactions(database, file, () => watched.problem("write to the store"));
  parentPort?.on("message", (asked: StoreBatch | "close") => {
    if (asked !== "close") {
      send({ type: "reply", reply: transactions.run(asked) });
      return;
    }
    others.end();
    watched.close();
    database.close();
    parentPort?.close();
  });
  send({ type: "opened", revision: transactions.revision });
} catch (error) {
  send(openRefusal(error));
}
