/** The key that turns on the guard of a service's wires: checks of the addresses that each side sends. */
import { z } from "zod";

export const guardSchema = z
  .boolean()
  .optional()
  .describe(
    "Whether what both sides send is checked: their addresses, and for ETHERNET their MACs. true: within a host as well, by a pair of devices in the middle. false: nowhere, for sides that bridge for others. Default: between hosts.",
  );
