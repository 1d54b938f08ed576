import { closeSync, openSync } from "node:fs";
import { becomeProgram } from "../libc/syscall.ts";

/**
 * Turns this process into the program `argv`, in the namespace at `path`: execve keeps the network namespace of the calling
 * thread, and ends all other threads. Returns only if that fails: with the errno, and with this process where it was.
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
