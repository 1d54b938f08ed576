import { LOCAL_TYPES } from "../../mechanisms/list.ts";
import { z } from "zod";
import { workloadSchema } from "../../resolvers/schema.ts";
import { documentSchema } from "../fragments/head.ts";
import { mtuSchema } from "../fragments/mtu.ts";
import { prefixesSchema } from "../fragments/prefixes.ts";
import { serviceSchema } from "../fragments/service.ts";
import { trustKeys } from "../fragments/trust.ts";

export const clientSchema = documentSchema({
  kind: "NetworkServiceClient",
  about: "Name of the client, unique among the clients of its host.",
  spec: z.strictObject({
    workload: workloadSchema(),
    service: serviceSchema,
    interface: z
      .string()
      .optional()
      .describe("Name of the device in the workload. Default: made from the service's name."),
    mechanism: z
      .enum(LOCAL_TYPES.map(({ document }) => document))
      .optional()
      .describe("Default: kernel (a network device); port if the workload is a port."),
    mtu: mtuSchema.optional().describe("Largest MTU in bytes. Default: the MTU of the path."),
    ...trustKeys,
    excludedPrefixes: prefixesSchema.optional().describe("No endpoint may give addresses of these prefixes."),
    acceptRoutes: prefixesSchema
      .optional()
      .describe("Routes of the endpoint are accepted only inside of these prefixes. Default: all routes."),
    via: z
      .array(z.string())
      .optional()
      .describe("Names of hosts that the wire passes, in this order. Default: the direct path."),
    endpoint: z
      .string()
      .optional()
      .describe("Name of the required endpoint. Default: the service's matches decide."),
  }),
});

export type ClientDocument = z.infer<typeof clientSchema>;
