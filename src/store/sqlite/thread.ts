/** The near side of the thread that has the database. One of the edges of the deterministic zone. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NetloomError } from "../../errors/errors.ts";
import { errorOf } from "./sqlite-store.ts";
import type { StoreBatch, Database, BatchRefusal, Reply } from "./batch.ts";

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

export interface DatabaseOptions {
  /** Made if it is missing; its directory is not. */
  readonly file: string;
  /** Monotonic time of the host, which all processes that open the file share. */
  readonly nowMs: number;
  /** Told when another process may have changed something: a batch hears what. */
  readonly onTouched?: () => void;
  /** Told when the open file is not at its path any more, and with `undefined` when it is back. */
  readonly onProblem?: ((problem: NetloomError | undefined) => void) | undefined;
  /** How long to wait for a process that keeps the file for itself. Default: 30,000 ms. */
  readonly patienceMs?: number;
  /** The file grows no further: for tests. 4,096 bytes each. */
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
 * Opens the file, together with other processes of this host. FAILED_PRECONDITION if it is another program's or damaged,
 * NOT_FOUND or PERMISSION_DENIED if it cannot be opened, INVALID_ARGUMENT if it is a folder, UNAVAILABLE if another
 * process keeps it for itself, as earlier versions did.
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
  /** Batches under way, in their order. */
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
