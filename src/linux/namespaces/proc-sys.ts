/**
 * Sysctls of network namespaces: /proc/sys, as seen by a thread inside one.
 *
 * The kernel keeps the looked-up entries of all namespaces in one list, because `net/ipv6` has the same name in each, and
 * walks that list at each lookup: with 2,000 namespaces opening one file takes a millisecond (fs/proc/proc_sysctl.c,
 * proc_sys_compare). A private procfs has its own list, and is replaced after some namespaces.
 */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { NetloomError } from "../../errors/errors.ts";
import { settingsOf } from "../../kernel/objects/sysctl.ts";
import type { Sysctl } from "../../kernel/kernel.ts";
import type { NetnsInode } from "./netns.ts";
import type { NetnsPlace } from "./place.ts";
import { close, openProcfs } from "../libc/syscall.ts";

const PUBLIC = "/proc/sys";
/** Making a private procfs costs as much as five lookups, closing it as much as fifty. */
const MAX_NAMESPACES = 64;
/** Not a sysctl of a namespace, so its lookup is fast. */
const WRITABLE = `${PUBLIC}/kernel/hostname`;

export class ProcSys {
  readonly #seen = new Set<NetnsInode>();
  #fd: number | undefined;
  #isRefused = false;

  /**
   * Writes the values that differ. For a new device, whose undo removes it with everything, does so without reading them
   * first. `onWritten` gets the undo of one setting. Throws the errors of node:fs, and ENOENT for a sysctl that does not
   * belong to a namespace.
   */
  write(place: NetnsPlace, object: Sysctl, isNew: boolean, onWritten: (undo: () => void) => void): void {
    this.#inside(place, (fileOf) => {
      for (const [name, value] of settingsOf(object)) {
        const before = unlessOptional(object, () => replace(fileOf(name), value, isNew && !LOCKS.test(name)));
        if (before === undefined || isNew) continue;
        onWritten(() => this.#inside(place, (again) => writeFileSync(again(name), before)));
      }
    });
  }

  close(): void {
    if (this.#fd !== undefined) close(this.#fd);
    this.#fd = undefined;
    this.#seen.clear();
  }

  #inside(place: NetnsPlace, action: (fileOf: (name: string) => string) => void): void {
    const root = this.#rootFor(place);
    place.run(() => action((name) => `${root}/${checked(name)}`));
  }

  #rootFor({ identity }: NetnsPlace): string {
    // Respect a read-only /proc/sys.
    if (!isWritable()) return PUBLIC;
    if (!this.#seen.has(identity) && this.#seen.size >= MAX_NAMESPACES) this.close();
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return PUBLIC;
    this.#seen.add(identity);
    return `/proc/self/fd/${this.#fd}/sys`;
  }

  /** `undefined` if the kernel does not allow or support it. */
  #open(): number | undefined {
    if (this.#isRefused) return undefined;
    try {
      return openProcfs();
    } catch (error) {
      if (!(error instanceof NetloomError)) throw error;
      this.#isRefused = true;
      return undefined;
    }
  }
}

function isWritable(): boolean {
  try {
    accessSync(WRITABLE, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Writing one takes the RTNL lock even without a change (net/ipv6/addrconf.c, addrconf_disable_ipv6). */
const LOCKS = /\/disable_ipv6$/;
/** Sysctls for all devices overwrite those of the devices, whatever the previous value was. */
const FOR_ALL = /\/(?:all|default)\//;
/** Errnos for a missing sysctl, and for one that may not be written. */
const NOT_TO_BE_HAD = ["ENOENT", "EROFS", "EACCES", "EPERM"];

/** Returns the previous value; `undefined` if the value was already right. */
function replace(file: string, value: string, isBlind: boolean): string | undefined {
  const before = isBlind ? "" : readFileSync(file, "utf8").trim();
  if (before === value && !FOR_ALL.test(file)) return undefined;
  writeFileSync(file, value);
  return before;
}

function unlessOptional<T>({ isOptional }: Sysctl, action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (isOptional && NOT_TO_BE_HAD.includes((error as NodeJS.ErrnoException).code ?? "")) return undefined;
    throw error;
  }
}

function checked(name: string): string {
  if (/^net\/[^.]/.test(name) && !name.split("/").includes("..")) return name;
  throw Object.assign(new Error(`${name} is not a setting of a namespace`), { code: "ENOENT" });
}
