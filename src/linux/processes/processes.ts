import type { Privileged } from "../../kernel/privileged.ts";
import type { Processes } from "../../kernel/processes.ts";
import { hasEnded } from "../libc/syscall.ts";

/** The processes of this machine, held by pidfds. Needs Linux 5.3. */
export function linuxProcesses(machine: Pick<Privileged, "open">): Processes {
  return {
    hold: async (pid) => {
      const pidfd = await machine.open({ type: "process", pid });
      let isHeld = true;
      return {
        isAlive: () => isHeld && !hasEnded(pidfd.fd),
        release: () => {
          isHeld = false;
          pidfd.close();
        },
      };
    },
  };
}
