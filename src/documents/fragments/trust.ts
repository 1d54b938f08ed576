/** Whom a workload lets configure it by its wire. */
import { z } from "zod";
import type { Trust } from "../../mechanisms/half.ts";

/** Keys of a document, for a `strictObject`. */
export const trustKeys = {
  routerAdvertisements: z
    .boolean()
    .optional()
    .describe("The workload takes router advertisements and redirects from the wire. Default: false."),
  dhcp: z
    .boolean()
    .optional()
    .describe(
      "The workload may hear a DHCP server, of either family, at the other end of the wire. Default: false.",
    ),
} as const;

/** Of a document that has those keys: what it says yes to. */
export function trustOf({ routerAdvertisements, dhcp }: Trust): Trust {
  return { ...(routerAdvertisements && { routerAdvertisements }), ...(dhcp && { dhcp }) };
}
