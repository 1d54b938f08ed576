/** Makes and removes named network namespaces, as `ip netns` does. */
import { closeSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { KernelError } from "../world/kernel.ts";
import { identityAt, openPath, runIn } from "./netns.ts";
import { bindMount, syscallError, unmount, unshareNetns } from "./syscall.ts";

/** Equivalent to: `ip netns add NAME`, with `path` = /run/netns/NAME. ALREADY_EXISTS if the path does. All or nothing. */
export function createNetns(path: string): void {
  const attempt = `create network namespace ${path}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    closeSync(openSync(path, "wx", 0o444));
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (errno !== "EEXIST") throw syscallError(attempt, errno);
    throw new KernelError("ALREADY_EXISTS", `${attempt}: EEXIST: it exists`, { errno });
  }
  try {
    const own = openPath("/proc/thread-self/ns/net");
    try {
      // The way back of `runIn` is from wherever `unshare` has led.
      runIn(own.fd, () => {
        unshareNetns();
        bindMount("/proc/thread-self/ns/net", path);
      });
    } finally {
      own.close();
    }
  } catch (error) {
    unlinkSync(path);
    throw error;
  }
}

/** Equivalent to: `ip netns del NAME`. A path that is not there is a success. */
export function removeNetns(path: string): void {
  // A path may be mounted over more than once.
  while (identityAt(path) !== undefined && unmount(path));
  try {
    unlinkSync(path);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (errno !== "ENOENT") throw syscallError(`remove network namespace ${path}`, errno);
  }
}
