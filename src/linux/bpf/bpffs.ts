/** The file system in which programs, maps and links have names, and so outlive the process that made them. */
import { existsSync, mkdirSync, rmdirSync, statfsSync } from "node:fs";
import { join } from "node:path";
import { mountBpffs, unmount } from "../libc/syscall.ts";

/** include/uapi/linux/magic.h */
const BPF_FS_MAGIC = 0xcafe4a11;

/** A directory in the bpffs itself says who mounted it, because that has to be known after a crash, too. */
const OURS = "mounted-by-netloom";

/** True if `directory` lies in a bpffs. */
export function isBpffs(directory: string): boolean {
  return existsSync(directory) && statfsSync(directory).type === BPF_FS_MAGIC;
}

/** Makes `directory` and mounts a bpffs on it, unless it lies in one. True if it mounted one. */
export function ensureBpffs(directory: string): boolean {
  if (isBpffs(directory)) {
    return false;
  }
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // A new directory below a bpffs is one of it.
  if (isBpffs(directory)) {
    return false;
  }
  mountBpffs(directory);
  mkdirSync(join(directory, OURS));
  return true;
}

/** Unmounts what `ensureBpffs` mounted, by whatever process, and removes the empty directory. */
export function releaseBpffs(directory: string): void {
  if (existsSync(join(directory, OURS))) {
    unmount(directory);
  }
  if (existsSync(directory)) {
    rmdirSync(directory);
  }
}

/** A bpffs takes no `.`, and a directory no `/`: both are escaped, so that any name of at most 80 bytes will do. */
export function pinNameOf(name: string): string {
  return encodeURIComponent(name).replaceAll(".", "%2E");
}

export function nameOfPin(pin: string): string {
  return decodeURIComponent(pin);
}
