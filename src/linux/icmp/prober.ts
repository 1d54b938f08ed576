import { NetloomError } from "../../errors/errors.ts";
import type { Prober } from "../../kernel/prober.ts";
import { ipHeaderBytes, ping } from "./icmp.ts";
import type { Privileged } from "../../kernel/privileged.ts";

/** The length of the ICMP header. */
const ECHO_BYTES = 8;

/** Sends echo requests from namespaces of this machine. An unroutable address gives an answer, not an error. */
export function linuxProber(machine: Pick<Privileged, "open" | "deviceTowards">): Prober {
  return {
    probe: async (netns, address, { timeoutMs, device, packetBytes }) => {
      const size =
        packetBytes === undefined ? {} : { payloadBytes: packetBytes - ipHeaderBytes(address) - ECHO_BYTES };
      try {
        const { rttMs, errno } = await ping(machine, { netns, address, device, timeoutMs, ...size });
        return rttMs === undefined ? { reason: errno ?? "timeout" } : { rttMs };
      } catch (error) {
        if (!(error instanceof NetloomError) || error.code !== "FAILED_PRECONDITION") throw error;
        return { reason: "no route" };
      }
    },
    deviceTowards: async (netns, address) => await machine.deviceTowards(netns, address),
  };
}
