/** Keys that let the other end of a wire configure the workload: router advertisements and DHCP. */
import { z } from "zod";
import type { Trust } from "../../mechanisms/half.ts";

/** The keys in a document's schema, for a `strictObject`. */
export const trustKeys = {
  routerAdvertisements: z
    .boolean()
    .optional()
    .describe("The workload accepts router advertisements and redirects from the wire. Default: false."),
  dhcp: z
    .boolean()
    .optional()
    .describe(
      "The workload accepts answers of a DHCP server, of either family, at the other end of the wire. Default: false.",
    ),
} as const;

/** The keys of a document that are true. */
export function trustOf({ routerAdvertisements, dhcp }: Trust): Trust {
  return { ...(routerAdvertisements && { routerAdvertisements }), ...(dhcp && { dhcp }) };
}
