/** What somebody wants to be in the kernel of a host: a wire, the underlay of a lab. */
import type { KernelObject } from "./kernel.ts";

export interface Plan {
  /** Its devices bear it in their alias. */
  readonly owner: string;
  /** In the order in which they are made: devices, programs, sysctls, addresses, up, routes, neighbours, rules. */
  readonly objects: readonly KernelObject[];
}
