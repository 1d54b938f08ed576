/** Asks whether an address answers, from inside of a namespace. */
import type { Netns } from "./kernel.ts";

interface ProbeAnswer {
  /** Round-trip time; absent if no answer came in time, or the kernel knows that none can. */
  readonly rttMs?: number;
  /** Why there is none: `timeout`, or an errno such as `ENETUNREACH`. */
  readonly reason?: string;
}

export interface Prober {
  /** One echo request. NOT_FOUND without the namespace. */
  probe(netns: Netns, address: string, options: { readonly timeoutMs: number }): Promise<ProbeAnswer>;
}
