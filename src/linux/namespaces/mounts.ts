/** Mounts in the mount namespace of this process. */
import { readFileSync } from "node:fs";
import { unmount } from "../libc/syscall.ts";

/** The mount points at `directory` or below, in the order of mounting. */
export function mountsBelow(directory: string): string[] {
  return (
    readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      // The kernel writes blanks in paths as octal escapes; Netloom's paths have none.
      .map((line) => line.split(" ")[4] ?? "")
      .filter((path) => path === directory || path.startsWith(`${directory}/`))
  );
}

/** Unmounts everything at `directory` or below, innermost first. This frees the programs and maps pinned there. */
export function unmountBelow(directory: string): void {
  for (const path of mountsBelow(directory).reverse()) unmount(path);
}
