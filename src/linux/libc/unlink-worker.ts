/**
 * Removes the path of a network namespace that is mounted below another mount of its directory, so that umount cannot reach
 * it. A mount point can be removed from a mount namespace where nothing is mounted on it, and the kernel then unmounts it
 * in all others (Linux 3.18). This thread has such a mount namespace, which ends with it.
 */
import { unlinkSync } from "node:fs";
import { dirname } from "node:path";
import { workerData } from "node:worker_threads";
import { syscallError, unmount, unshareMounts } from "./syscall.ts";

const path = workerData as string;
unshareMounts();
for (;;) {
  try {
    unlinkSync(path);
    break;
  } catch (error) {
    const errno = (error as NodeJS.ErrnoException).code ?? "EIO";
    if (errno === "ENOENT") break;
    // The topmost mount hides the next one.
    if (errno !== "EBUSY" || !(unmount(path) || unmount(dirname(path))))
      throw syscallError(`remove network namespace ${path}`, errno);
  }
}
