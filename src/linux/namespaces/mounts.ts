/** What is mounted in the mount namespace of this process. */
import { readFileSync } from "node:fs";
import { unmount } from "../libc/syscall.ts";

/** Where something is mounted at `directory` or below, in the order of mounting. */
export function mountsBelow(directory: string): string[] {
  return (
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      // The kernel writes blanks in paths as octal escapes; paths of ours have none.
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path === directory || path.startsWith(`${directory}/`))
  );
}

/** Unmounts it, innermost first: programs and maps that were pinned there are freed. */
export function unmountBelow(directory: string): void {
  for (const path of mountsBelow(directory).reverse()) unmount(path);
}
