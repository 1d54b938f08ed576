import { NetloomError } from "../world/errors.ts";
import type { Prober } from "../world/prober.ts";
import { ping } from "./icmp.ts";
import type { LinuxMachine } from "./machine.ts";

/** Echo requests from namespaces of this machine. An address that no route leads to is an answer, not an error. */
export function linuxProber(machine: LinuxMachine): Prober {
  return {
    probe: async (netns, address, { timeoutMs }) => {
      try {
        const { rttMs, errno } = await ping(machine, { netns, address, timeoutMs });
        return rttMs === undefined ? { reason: errno ?? "timeout" } : { rttMs };
      } catch (error) {
        if (!(error instanceof NetloomError) || error.code !== "FAILED_PRECONDITION") throw error;
        return { reason: "no route" };
      }
    },
  };
}
