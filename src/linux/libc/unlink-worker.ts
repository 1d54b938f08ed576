/**
 * Removes the path of a network namespace that is mounted below another mount of its directory, where no umount gets to.
 * A file that is mounted over can be removed from a mount namespace in which it is not, and the kernel takes the mounts off
 * in all others (Linux 3.18). That mount namespace is this thread's, and goes with it.
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
