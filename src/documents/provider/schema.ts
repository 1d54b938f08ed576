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
      .describe("Prefix of the device names, at most 10 bytes. Default: the service's name."),
    pools: poolsSchema
      .optional()
      .describe(
        "Each wire gets a pair of addresses of every group. A group has one prefix or several. For dual stack, write two groups, one of each family.",
      ),
    addressPolicy: z
      .enum(["strict", "polite"])
      .optional()
      .describe(
        "Treatment of addresses that a client has from elsewhere: strict removes them. Default: strict.",
      ),
    routes: routesSchema.optional().describe("Prefixes that each side reaches through the wire."),
    policyRoutes: z
      .array(policyRouteSchema)
      .optional()
      .describe("Routes of the client for selected traffic only."),
    excludedPrefixes: prefixesSchema.optional().describe("Parts of the pools that no wire gets."),
    acceptRoutes: prefixesSchema
      .optional()
      .describe(
        "Routes of a client to networks behind it are accepted only inside of these prefixes. Default: none.",
      ),
    dns: dnsSchema,
    payload: payloadSchema
      .optional()
      .describe("Payload of a service without a NetworkService. Default: ETHERNET."),
    mtu: mtuSchema.optional().describe("Largest MTU in bytes. Default: the MTU of the path."),
    ...trustKeys,
    guard: guardSchema,
  }),
});

export type ProviderDocument = z.infer<typeof providerSchema>;
