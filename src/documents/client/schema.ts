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
      .describe("Default: kernel, a network device; for a workload that is a port, port."),
    mtu: mtuSchema.optional().describe("Bytes, at most. Default: what the path carries."),
    ...trustKeys,
    excludedPrefixes: prefixesSchema.optional().describe("No endpoint may give addresses of these."),
    acceptRoutes: prefixesSchema
      .optional()
      .describe("Routes of the endpoint's are taken only inside of these. Default: all of them."),
    via: z
      .array(z.string())
      .optional()
      .describe("Names of hosts that the wire goes over, in this order. Default: the straight way."),
    endpoint: z
      .string()
      .optional()
      .describe("Name of the one endpoint to take. Default: the service's matches decide."),
  }),
});

export type ClientDocument = z.infer<typeof clientSchema>;
