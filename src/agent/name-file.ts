/**
 * A list of names on the disk that grows by lines, each with a checksum.
 *
 * Guarantees
 * - `add` resolves when the names are on the disk. Calls that come while another write is under way are written together.
 * - A line that was cut off by a crash or a full disk is not read; nor is one that has changed, and that is said.
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
  /** The writes that will have put these on the disk. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Names to be written, and who waits for that. */
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

  /** What an earlier life has written. `hint` says what becomes of lines that are damaged. */
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

  /** Replaces all of it. On a disk that is full the file stays as it was: that keeps no agent from its work. */
  async replace(names: readonly string[]): Promise<void> {
    this.#names.clear();
    for (const name of names) this.#names.add(name);
    try {
      await this.#disk.replace(this.#name, lines(names));
      await this.#disk.sync(this.#name);
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#log.warn("a file cannot be shortened; it keeps names that nobody needs", {
        file: this.#name,
        error: error.message,
      });
    }
  }

  #append(name: string): Promise<void> {
    if (!this.#pending) {
      const names: string[] = [];
      // One write for all that come while the one before is under way.
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

/** A line feed before them ends what a full disk has cut off. */
function lines(names: readonly string[]): Uint8Array {
  return new TextEncoder().encode(`\n${names.map(line).join("")}`);
}

function line(name: string): string {
  return `${hash64(name).toString(16).padStart(16, "0")} ${name}\n`;
}
