/** The caller's side of the database thread. Belongs to the edge of the deterministic zone. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NetloomError } from "../../errors/errors.ts";
import { errorOf } from "./sqlite-store.ts";
import type { StoreBatch, Database, BatchRefusal, Reply } from "./batch.ts";

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

export interface DatabaseOptions {
  /** Created if it is missing; its directory must exist. */
  readonly file: string;
  /** Monotonic time of the host, shared by all processes that open the file. */
  readonly nowMs: number;
  /** Called when another process may have written: the next batch reports the changes. */
  readonly onTouched?: () => void;
  /** Called when the open file is no longer at its path, and with `undefined` when it is back. */
  readonly onProblem?: ((problem: NetloomError | undefined) => void) | undefined;
  /** The time to wait for a process that has locked the file. Default: 30,000 ms. */
  readonly patienceMs?: number;
  /** The maximum size of the file in pages of 4,096 bytes, for tests. */
  readonly maxPages?: number;
}

export type ThreadData = Pick<DatabaseOptions, "file" | "nowMs" | "patienceMs" | "maxPages">;

export type ThreadAnswer =
  | { readonly type: "opened"; readonly revision: number }
  | { readonly type: "reply"; readonly reply: Reply }
  | { readonly type: "touched" }
  | { readonly type: "problem"; readonly problem: BatchRefusal | undefined }
  | BatchRefusal;

/**
 * Opens the file, shared with other processes of this host. FAILED_PRECONDITION if it belongs to another program or is
 * damaged, NOT_FOUND or PERMISSION_DENIED if it cannot be opened, INVALID_ARGUMENT if it is a folder, UNAVAILABLE if
 * another process has locked it, as earlier versions did.
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { onTouched, onProblem, ...workerData } = options;
  const worker = new Worker(WORKER, { workerData, name: "sqlite", execArgv: [] });
  const [first] = (await once(worker, "message")) as [ThreadAnswer];
  if (first.type === "opened")
    return new SqliteThread(worker, first.revision, (answer) => {
      if (answer.type === "touched") onTouched?.();
      if (answer.type === "problem") onProblem?.(answer.problem && errorOf(answer.problem));
    });
  await worker.terminate();
  if (first.type === "refused") throw errorOf(first);
  throw new NetloomError("INTERNAL", `open the store ${options.file}: unexpected answer of its thread`);
}

class SqliteThread implements Database {
  readonly revision: number;
  readonly #worker: Worker;
  /** Batches under way, in order. */
  readonly #pending: PromiseWithResolvers<Reply>[] = [];
  #failure: NetloomError | undefined;

  constructor(worker: Worker, revision: number, onNotice: (answer: ThreadAnswer) => void) {
    this.#worker = worker;
    this.revision = revision;
    worker.on("message", (answer: ThreadAnswer) => {
      if (answer.type === "reply") this.#pending.shift()?.resolve(answer.reply);
      else onNotice(answer);
      if (this.#pending.length === 0) worker.unref();
    });
    worker.on("error", (error: Error) => this.#fail(error.message));
    worker.on("exit", () => this.#fail("its thread has ended"));
    worker.unref();
  }

  run(batch: StoreBatch): Promise<Reply> {
    if (this.#failure) return Promise.resolve(this.#refused(batch));
    const pending = Promise.withResolvers<Reply>();
    this.#pending.push(pending);
    this.#worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(batch);
    return pending.promise.catch(() => this.#refused(batch));
  }

  async close(): Promise<void> {
    if (this.#failure) return;
    this.#worker.ref();
    const ended = once(this.#worker, "exit");
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage("close");
    await ended;
  }

  #fail(why: string): void {
    this.#failure ??= new NetloomError("UNAVAILABLE", `use the store: ${why}`);
    for (const { reject } of this.#pending.splice(0)) reject(this.#failure);
  }

  #refused({ nowMs, operations }: StoreBatch): Reply {
    const { code, message } = this.#failure ?? new NetloomError("UNAVAILABLE", "use the store: it is closed");
    const outcomes = operations.map((): BatchRefusal => ({ type: "refused", code, message }));
    return { news: [], forgotten: undefined, outcomes, lost: [], nextEndMs: nowMs, isTended: false };
  }
}
