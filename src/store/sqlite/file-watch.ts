/** What happens to an open file of a store: others write to it, or it goes away. Run by the thread that has the database. */
import { statSync, watch } from "node:fs";
import { basename, dirname } from "node:path";
import type { BatchRefusal } from "./batch.ts";
import { unusable } from "./file.ts";

export interface FileWatchOptions {
  /** Told when the file is not at its path any more, and with `undefined` when it is back. */
  readonly onProblem: (problem: BatchRefusal | undefined) => void;
  /** Its journal has grown: somebody has written, perhaps this process. */
  readonly onWrite: () => void;
}

/**
 * Notices when an open file, or its journal, is written to, and when it is not at its path any more: what is written then
 * is gone with the process. Source: https://www.sqlite.org/howtocorrupt.html
 */
export class FileWatch {
  readonly #file: string;
  /** By path, what was there first. */
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
    // Its folder is gone: the next write finds that out.
    watcher.on("error", () => undefined);
    this.#end = () => watcher.close();
  }

  /** `undefined` as long as the files are where they were opened. */
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
