/** What lab files and attachments write in the same way: MTUs, routes, policies. */
import { z } from "zod";

const text = z.string();

/** IFLA_MTU of a veth device; every device of a wire is made with it. */
export const mtuSchema = z
  .int({ error: "expected a whole number of bytes" })
  .min(68, "the smallest MTU that IPv4 allows is 68")
  .max(65_535, "the largest MTU of a veth device is 65535");

const routeSchema = z
  .union([
    text,
    z.strictObject({
      to: text.describe("Destination prefix."),
      via: text.optional().describe("Next hop. Default: the other end of the wire."),
    }),
  ])
  .meta({ alternatives: "a prefix, or a map" })
  .describe("A prefix that is reached through the wire.");

const ports = z
  .union([z.int(), text])
  .meta({ alternatives: "a port, or a range such as 1000-2000" })
  .describe("A port, or a range such as 1000-2000.");

export const policySchema = z.strictObject({
  from: text.optional().describe("Source prefix."),
  protocol: z.enum(["icmp", "tcp", "udp", "sctp", "ipv6-icmp"]).optional(),
  sourcePorts: ports.optional(),
  destinationPorts: ports.optional(),
  routes: z.array(routeSchema).optional().describe("Default: everything."),
});

export const routesSchema = z.strictObject({
  client: z.array(routeSchema).optional(),
  endpoint: z.array(routeSchema).optional(),
});

export type RoutePart = z.infer<typeof routeSchema>;
export type PolicyPart = z.infer<typeof policySchema>;
export type RoutesPart = z.infer<typeof routesSchema>;
