import { z } from "zod";
import { workloadSchema } from "../../resolvers/schema.ts";
import { dnsSchema } from "../fragments/dns.ts";
import { guardSchema } from "../fragments/guard.ts";
import { documentSchema, payloadSchema } from "../fragments/head.ts";
import { mtuSchema } from "../fragments/mtu.ts";
import { poolsSchema } from "../fragments/pools.ts";
import { prefixesSchema } from "../fragments/prefixes.ts";
import { policyRouteSchema, routesSchema } from "../fragments/routes.ts";
import { serviceSchema } from "../fragments/service.ts";
import { trustKeys } from "../fragments/trust.ts";

export const providerSchema = documentSchema({
  kind: "NetworkServiceProvider",
  about:
    "Name of the provider, unique among the providers of its host. The endpoint is called name.host in the mesh.",
  spec: z.strictObject({
    workload: workloadSchema(),
    services: z.array(serviceSchema).min(1, "name at least one service"),
    interface: z
      .string()
      .optional()
      .describe("The devices' names begin with it: 10 bytes at most. Default: the service's name."),
    pools: poolsSchema
      .optional()
      .describe(
        "Each wire gets a pair of addresses of every group; a group is a prefix or several. Two groups, one of each family, are dual stack.",
      ),
    addressPolicy: z
      .enum(["strict", "polite"])
      .optional()
      .describe(
        "What becomes of addresses that a client brings from elsewhere: strict takes them away. Default: strict.",
      ),
    routes: routesSchema.optional().describe("Prefixes that each side reaches through the wire."),
    policyRoutes: z
      .array(policyRouteSchema)
      .optional()
      .describe("Routes of the client for selected traffic only."),
    excludedPrefixes: prefixesSchema.optional().describe("Parts of the pools that are not given."),
    acceptRoutes: prefixesSchema
      .optional()
      .describe(
        "Routes that a client names to networks behind it are taken only inside of these. Default: none.",
      ),
    dns: dnsSchema,
    payload: payloadSchema
      .optional()
      .describe("Of a service that nobody has described yet. Default: ETHERNET."),
    mtu: mtuSchema.optional().describe("Bytes, at most. Default: what the path carries."),
    ...trustKeys,
    guard: guardSchema,
  }),
});

export type ProviderDocument = z.infer<typeof providerSchema>;
