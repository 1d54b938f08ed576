import type { KernelObject } from "../world/kernel.ts";
import type { Wire } from "./wire.ts";

/** What has to be in the kernel of this host for one wire. */
export interface Plan {
  /** The connection id. */
  readonly owner: string;
  /** In the order in which they are made: devices, programs, sysctls, addresses, up, routes, neighbours, rules. */
  readonly objects: readonly KernelObject[];
}

export interface PlanOptions {
  /** Count at the ingress of both ends of a local wire. Default: true. */
  readonly localPrograms?: boolean;
}

/** Pure. The wire has to be valid (`validateWire`). */
export function plan(wire: Wire, options: PlanOptions = {}): Plan {
  throw new Error(`${wire.connectionId} ${String(options.localPrograms)}`);
}
