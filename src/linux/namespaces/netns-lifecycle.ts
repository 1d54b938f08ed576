/** Creates and removes named network namespaces, as `ip netns` does. */
import { readdir } from "node:fs/promises";
import { closeSync, mkdirSync, openSync, unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { Worker } from "node:worker_threads";
import { KernelError } from "../../kernel/kernel.ts";
import { identityAt, openPath, runIn } from "./netns.ts";
import {
  bindMount,
  bindOnItself,
  shareMount,
  syscallError,
  unmount,
  unshareNetns,
  waitForLock,
} from "../libc/syscall.ts";

/**
 * Equivalent to: `ip netns add NAME`, with `path` = /run/netns/NAME. ALREADY_EXISTS if the path exists. All or nothing,
 * except for the directory and its mount, which stay.
 */
export function createNetns(path: string): void {
  const attempt = `create network namespace ${path}`;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
    share(dirname(path));
    closeSync(openSync(path, "wx", 0o444));
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (error instanceof KernelError) throw error;
    if (errno !== "EEXIST") throw syscallError(attempt, errno);
    throw new KernelError("ALREADY_EXISTS", `${attempt}: EEXIST: it exists`, { errno });
  }
  try {
    const own = openPath("/proc/thread-self/ns/net");
    try {
      // `runIn` moves the thread back from the new namespace.
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

/**
 * Makes the directory a shared mount, visible in other mount namespaces. iproute2 does that at its first `ip netns add`, by
 * a mount on top of the directory, which hides earlier mounts so that they cannot be unmounted. So Netloom does it first,
 * under iproute2's lock.
 */
function share(directory: string): void {
  if (shareMount(directory)) return;
  const fd = openSync(directory, "r");
  try {
    waitForLock(fd);
    if (shareMount(directory)) return;
    bindOnItself(directory);
    shareMount(directory);
  } finally {
    closeSync(fd);
  }
}

/** Equivalent to: `ip netns del NAME`. Succeeds if the path does not exist. */
export async function removeNetns(path: string): Promise<void> {
  // A path may have several mounts on top of each other.
  while (identityAt(path) !== undefined && unmount(path));
  try {
    unlinkSync(path);
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (errno === "ENOENT") return;
    if (errno !== "EBUSY") throw syscallError(`remove network namespace ${path}`, errno);
    await removeHidden(path);
  }
}

/** The mount is hidden by a later mount of the directory: see unlink-worker.ts. */
async function removeHidden(path: string): Promise<void> {
  const file = import.meta.url.endsWith(".ts") ? "../libc/unlink-worker.ts" : "../libc/unlink-worker.js";
  const worker = new Worker(new URL(file, import.meta.url), { workerData: path, execArgv: [] });
  await new Promise<void>((resolve, reject) => {
    worker.once("error", reject);
    worker.once("exit", () => resolve());
  });
}

/** Names of the namespaces of `ip netns`. */
export async function namedNamespaces(): Promise<string[]> {
  try {
    return await readdir("/run/netns");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
