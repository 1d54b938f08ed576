/**
 * Settings of network namespaces: /proc/sys, as the thread sees it from inside of one.
 *
 * The kernel keeps what was looked up there in one list for all namespaces, since `net/ipv6` has one name in each, and walks
 * that list at each look-up: with 2,000 namespaces to open one file takes a millisecond (fs/proc/proc_sysctl.c,
 * proc_sys_compare). A procfs of our own has a list of its own, and after some namespaces another one takes its place.
 */
import { accessSync, constants, readFileSync, writeFileSync } from "node:fs";
import { NetloomError } from "../../errors/errors.ts";
import { settingsOf } from "../../kernel/objects/sysctl.ts";
import type { Sysctl } from "../../kernel/kernel.ts";
import type { NetnsInode } from "./netns.ts";
import type { NetnsPlace } from "./place.ts";
import { close, openProcfs } from "../libc/syscall.ts";

const PUBLIC = "/proc/sys";
/** To make one costs what five look-ups cost, to close it what fifty do. */
const MAX_NAMESPACES = 64;
/** Is no setting of a namespace, hence found at once. */
const WRITABLE = `${PUBLIC}/kernel/hostname`;

export class ProcSys {
  readonly #seen = new Set<NetnsInode>();
  #fd: number | undefined;
  #isRefused = false;

  /**
   * Writes what is not as wanted; of a device that is new, and goes with all it has when it is undone, without a look at it.
   * `onWritten` gets what takes one setting back. Throws what node:fs throws, and ENOENT for what is no namespace's.
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
    // Whoever has made settings read-only is not evaded.
    if (!isWritable()) return PUBLIC;
    if (!this.#seen.has(identity) && this.#seen.size >= MAX_NAMESPACES) this.close();
    this.#fd ??= this.#open();
    if (this.#fd === undefined) return PUBLIC;
    this.#seen.add(identity);
    return `/proc/self/fd/${this.#fd}/sys`;
  }

  /** `undefined` where that is not allowed, or not known to the kernel. */
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

/** To write one takes the lock of all link changes, also where nothing changes (net/ipv6/addrconf.c, addrconf_disable_ipv6). */
const LOCKS = /\/disable_ipv6$/;
/** One for all devices changes theirs, whatever it was before. */
const FOR_ALL = /\/(?:all|default)\//;
/** Errnos of a setting that is not there, and of one that may not be written. */
const NOT_TO_BE_HAD = ["ENOENT", "EROFS", "EACCES", "EPERM"];

/** Returns the value before; `undefined` if that was the same. */
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
  throw Object.assign(new Error(`${name} is no setting of a namespace`), { code: "ENOENT" });
}
