/** Pings an address from inside a namespace, through one device. */
import type { Netns } from "./kernel.ts";

interface ProbeAnswer {
  /** Round-trip time. Absent if no answer came in time, or if the kernel reports that none can come. */
  readonly rttMs?: number;
  /**
   * The reason for a missing answer: `timeout`, or an errno such as `ENETUNREACH`; `EMSGSIZE` for a packet larger than the
   * MTU.
   */
  readonly reason?: string;
}

interface ProbeOptions {
  readonly timeoutMs: number;
  /** The request leaves by this device, whatever the routes are, and only an answer that arrives there counts. */
  readonly device: string;
  /** Size of the whole IP packet, which is not fragmented. Default: 84, as ping(8) sends. */
  readonly packetBytes?: number;
}

export interface Prober {
  /** Sends one echo request. NOT_FOUND without the namespace. */
  probe(netns: Netns, address: string, options: ProbeOptions): Promise<ProbeAnswer>;
  /** The device that packets to `address` leave the namespace by; `undefined` without a route. */
  deviceTowards(netns: Netns, address: string): Promise<string | undefined>;
}
