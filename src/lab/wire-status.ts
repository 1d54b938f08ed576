import type { Counters } from "../kernel/kernel.ts";
import type { Pinged } from "./pinged.ts";

export interface WireStatus {
  /** `host/workload/interface` of both sides. */
  readonly client: string;
  readonly endpoint: string;
  readonly addresses: { readonly client: readonly string[]; readonly endpoint: readonly string[] };
  /** `veth on alpha`, or `vxlan vni 4242 alpha→beta`. */
  readonly path: string;
  readonly mtuBytes: number;
  /** Down: something is missing or wrong. */
  readonly state: "up" | "down";
  /** What each side received; absent where no program counts. */
  readonly received: { readonly client?: Counters; readonly endpoint?: Counters };
  /** What differs from wanted: `missing: …`, `changed: …`, `unexpected: …`. Empty when all is well. */
  readonly differences: readonly string[];
  /** Per address of the endpoint; only when asked for. No time: no answer that came in by the wire's own device. */
  readonly ping?: readonly Pinged[];
}
