import { closeSync, openSync } from "node:fs";
import { becomeProgram } from "../libc/syscall.ts";

/**
 * This process becomes the program `argv`, in the namespace at `path`: execve keeps the network namespace of the calling thread, and
 * ends all others. Comes back with the errno, and this process where it was, only if that is not possible.
 */
export function becomeIn(path: string, argv: readonly string[]): string {
  const [home, there] = ["/proc/self/ns/net", path].map((file) => openSync(file, "r")) as [number, number];
  try {
    return becomeProgram({ there, home }, argv);
  } finally {
    closeSync(there);
    closeSync(home);
  }
}
