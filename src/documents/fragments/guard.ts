/** The key that turns on the guard of a service's wires: checks of the addresses that each side sends. */
import { z } from "zod";

export const guardSchema = z
  .boolean()
  .optional()
  .describe(
    "Checks the addresses that both sides send, and for ETHERNET their MACs. true: within a host as well, with a pair of devices in the middle. false: never, for sides that bridge for others. Default: between hosts only.",
  );
