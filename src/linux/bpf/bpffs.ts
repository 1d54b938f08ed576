/** The file system that pins programs, maps and links, so that they outlive the process. */
import { existsSync, mkdirSync, rmdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { mountBpffs, unmount } from "../libc/syscall.ts";

/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

/** A directory in the bpffs marks it as mounted by Netloom, so that this is known after a crash, too. */
const OURS = "mounted-by-netloom";

/** True if `directory` is in a bpffs. */
export function isBpffs(directory: string): boolean {
  return existsSync(directory) && statfsSync(directory).type === BPF_FS_MAGIC;
}

/** Creates `directory` and mounts a bpffs on it, unless it is already in one. True if it has mounted one. */
export function ensureBpffs(directory: string): boolean {
  if (isBpffs(directory)) {
    return false;
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A new directory inside a bpffs needs no mount.
  if (isBpffs(directory)) {
    return false;
  }
  mountBpffs(directory);
  mkdirSync(join(directory, OURS));
  return true;
}

/** Unmounts a bpffs that any process has mounted by `ensureBpffs`, and removes the empty directory. */
export function releaseBpffs(directory: string): void {
  if (existsSync(join(directory, OURS))) {
    unmount(directory);
  }
  if (existsSync(directory)) {
    rmdirSync(directory);
  }
}

/**
 * A bpffs allows no `.` in a name, and a directory no `/`: both are escaped, so that any name of at most 80 bytes is valid.
 */
export function pinNameOf(name: string): string {
  return encodeURIComponent(name).replaceAll(".", "%2E");
}

export function nameOfPin(pin: string): string {
  return decodeURIComponent(pin);
}
