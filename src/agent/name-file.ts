/**
 * A list of names on the disk that grows by lines, each with a checksum.
 *
 * Guarantees
 * - `add` resolves when the names are on the disk. Calls during a write are written together afterwards.
 * - A line that a crash or a full disk cut off is skipped. A changed line is skipped too, and that is logged.
 */
import { hash64 } from "../net/hash.ts";
import type { Log } from "../observe/log.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Disk } from "../world/disk.ts";

export class NameFile {
  readonly #disk: Disk;
  readonly #name: string;
  readonly #log: Log;
  readonly #names = new Set<string>();
  /** The unfinished write of each name. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** The names of the next write, and its promise. */
  #pending: { readonly names: string[]; readonly written: Promise<void> } | undefined;
  #tail: Promise<void> = Promise.resolve();

  constructor(disk: Disk, name: string, log: Log) {
    this.#disk = disk;
    this.#name = name;
    this.#log = log;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  /** Reads the names of an earlier agent. `hint` is logged with damaged lines and says what their loss means. */
  async read(hint: string): Promise<string[]> {
    const bytes = (await this.#disk.read(this.#name)) ?? new Uint8Array();
    const names = new Set<string>();
    let damaged = 0;
    for (const text of new TextDecoder().decode(bytes).split("\n").slice(0, -1)) {
      if (text === "") continue;
      const name = text.slice(text.indexOf(" ") + 1);
      if (line(name) === `${text}\n`) names.add(name);
      else damaged += 1;
    }
    if (damaged > 0)
      this.#log.warn("lines on the disk are damaged", { file: this.#name, lines: damaged, hint });
    return [...names];
  }

  async add(names: readonly string[]): Promise<void> {
    const fresh = names.filter((name) => !this.#names.has(name));
    await Promise.all(fresh.map((name) => this.#underWay.get(name) ?? this.#append(name)));
  }

  /** Replaces the whole file. On a full disk the file stays as it was, and the agent continues. */
  async replace(names: readonly string[]): Promise<void> {
    this.#names.clear();
    for (const name of names) this.#names.add(name);
    try {
      await this.#disk.replace(this.#name, lines(names));
      await this.#disk.sync(this.#name);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#log.warn("a file cannot be shortened; it keeps unused names", {
        file: this.#name,
        error: error.message,
      });
    }
  }

  #append(name: string): Promise<void> {
    if (!this.#pending) {
      const names: string[] = [];
      // One write takes all names that come during the write before it.
      const written = this.#tail.then(async () => {
        this.#pending = undefined;
        try {
          await this.#disk.append(this.#name, lines(names));
          await this.#disk.sync(this.#name);
          for (const each of names) this.#names.add(each);
        } finally {
          for (const each of names) this.#underWay.delete(each);
        }
      });
      this.#pending = { names, written };
      this.#tail = written.catch(() => undefined);
    }
    const { names, written } = this.#pending;
    names.push(name);
    this.#underWay.set(name, written);
    return written;
  }
}

/** The names as lines. The line feed before them ends a line that a full disk has cut off. */
function lines(names: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`\n${names.map(line).join("")}`);
}

function line(name: string): string {
  return `${hash64(name).toString(16).padStart(16, "0")} ${name}\n`;
}
