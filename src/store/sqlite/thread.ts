/** The near side of the thread that has the database. One of the edges of the deterministic zone. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { NetloomError } from "../../errors/errors.ts";
import { errorOf } from "./sqlite-store.ts";
import type { Database, Opened, Operation, Outcome, Refusal } from "./batch.ts";

const WORKER = new URL(import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js", import.meta.url);

export interface DatabaseOptions {
  /** Made if it is missing; its directory is not. */
  readonly file: string;
  /** Told when the open file is not at its path any more, and with `undefined` when it is back. */
  readonly onProblem?: (problem: NetloomError | undefined) => void;
  /** The file grows no further: for tests. 4,096 bytes each. */
  readonly maxPages?: number;
}

export type Answer =
  | { readonly type: "opened"; readonly opened: Opened }
  | { readonly type: "outcomes"; readonly outcomes: readonly Outcome[] }
  | { readonly type: "kept"; readonly problem: Refusal | undefined }
  | Refusal;

/**
 * Opens the file for this process alone: ALREADY_EXISTS if another has it open, FAILED_PRECONDITION if it is another
 * program's or damaged, NOT_FOUND or PERMISSION_DENIED if it cannot be opened, INVALID_ARGUMENT if it is a folder.
 */
export async function openDatabase({ onProblem, ...options }: DatabaseOptions): Promise<Database> {
  const worker = new Worker(WORKER, { workerData: options, name: "sqlite", execArgv: [] });
  const [first] = (await once(worker, "message")) as [Answer];
  if (first.type === "opened") return new SqliteThread(worker, first.opened, onProblem);
  await worker.terminate();
  if (first.type === "refused") throw errorOf(first);
  throw new NetloomError("INTERNAL", `open the store ${options.file}: unexpected answer of its thread`);
}

class SqliteThread implements Database {
  readonly opened: Opened;
  readonly #worker: Worker;
  /** Batches under way, in their order. */
  readonly #pending: PromiseWithResolvers<readonly Outcome[]>[] = [];
  #failure: NetloomError | undefined;

  constructor(worker: Worker, opened: Opened, onProblem: DatabaseOptions["onProblem"]) {
    this.#worker = worker;
    this.opened = opened;
    worker.on("message", (answer: Answer) => {
      if (answer.type === "outcomes") this.#pending.shift()?.resolve(answer.outcomes);
      if (answer.type === "kept") onProblem?.(answer.problem && errorOf(answer.problem));
      if (this.#pending.length === 0) worker.unref();
    });
    worker.on("error", (error: Error) => this.#fail(error.message));
    worker.on("exit", () => this.#fail("its thread has ended"));
    worker.unref();
  }

  run(batch: readonly Operation[]): Promise<readonly Outcome[]> {
    if (this.#failure) return Promise.resolve(batch.map(() => this.#refusal()));
    const pending = Promise.withResolvers<readonly Outcome[]>();
    this.#pending.push(pending);
    this.#worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
    this.#worker.postMessage(batch);
    return pending.promise.catch(() => batch.map(() => this.#refusal()));
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

  #refusal(): Refusal {
    const { code, message } = this.#failure ?? new NetloomError("UNAVAILABLE", "use the store: it is closed");
    return { type: "refused", code, message };
  }
}
