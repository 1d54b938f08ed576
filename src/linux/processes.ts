import { closeSync } from "node:fs";
import { NetloomError } from "../errors/errors.ts";
import type { Processes } from "../kernel/processes.ts";
import { hasEnded, pidfdOpen } from "./syscall.ts";

/** The processes of this machine, held by pidfds. Needs Linux 5.3. */
export function linuxProcesses(): Processes {
  return {
    hold: async (pid) => {
      const pidfd = open(pid);
      let isHeld = true;
      return {
        isAlive: () => isHeld && !hasEnded(pidfd),
        release: () => {
          if (isHeld) closeSync(pidfd);
          isHeld = false;
        },
      };
    },
  };
}

function open(pid: number): number {
  try {
    return pidfdOpen(pid);
  } catch (error) {
    // EINVAL: a thread, which is no process.
    if (error instanceof NetloomError && ["NOT_FOUND", "INVALID_ARGUMENT"].includes(error.code))
      throw new NetloomError("NOT_FOUND", `hold process ${pid}: there is no such process`, { cause: error });
    throw error;
  }
}
