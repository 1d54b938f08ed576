/** Watches the open file of a store for writes and for removal. Runs in the database thread. */
import { statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { BatchRefusal } from "./batch.ts";
import { unusable } from "./file.ts";

export interface FileWatchOptions {
  /** Called when the file is no longer at its path, and with `undefined` when it is back. */
  readonly onProblem: (problem: BatchRefusal | undefined) => void;
  /** Called when the journal has changed: some process has written, perhaps this one. */
  readonly onWrite: () => void;
}

/**
 * Watches an open file and its journal. If either is no longer at its path, later writes would be lost when the process
 * ends. Source: https://www.sqlite.org/howtocorrupt.html
 */
export class FileWatch {
  readonly #file: string;
  /** The device and inode first found at each path. */
  readonly #places = new Map<string, string>();
  readonly #end: () => void;

  constructor(file: string, { onProblem, onWrite }: FileWatchOptions) {
    this.#file = file;
    this.problem("");
    let told: string | undefined;
    const journal = `${basename(file)}-wal`;
    const watcher = watch(dirname(file), { persistent: false }, (event, name) => {
      if (event !== "rename") {
        if (name === journal) onWrite();
        return;
      }
      const problem = this.problem("keep the store");
      if (problem?.message !== told) onProblem(problem);
      told = problem?.message;
    });
    // The folder is gone: the next write reports that.
    watcher.on("error", () => undefined);
    this.#end = () => watcher.close();
  }

  /** The problem, if a file is not where it was opened; otherwise `undefined`. */
  problem(attempt: string): BatchRefusal | undefined {
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
