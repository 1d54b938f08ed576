/** Asks whether an address answers, from inside of a namespace, through one device. */
import type { Netns } from "./kernel.ts";

interface ProbeAnswer {
  /** Round-trip time; absent if no answer came in time, or the kernel knows that none can. */
  readonly rttMs?: number;
  /** Why there is none: `timeout`, or an errno such as `ENETUNREACH`, and `EMSGSIZE` for a packet over the MTU. */
  readonly reason?: string;
}

interface ProbeOptions {
  readonly timeoutMs: number;
  /** The request leaves by this device, whatever the routes say, and only an answer that comes in by it counts. */
  readonly device: string;
  /** Of the whole IP packet, which is not fragmented. Default: 84, what ping(8) sends. */
  readonly packetBytes?: number;
}

export interface Prober {
  /** One echo request. NOT_FOUND without the namespace. */
  probe(netns: Netns, address: string, options: ProbeOptions): Promise<ProbeAnswer>;
  /** The device by which packets to `address` leave the namespace; `undefined` if no route leads there. */
  deviceTowards(netns: Netns, address: string): Promise<string | undefined>;
}
