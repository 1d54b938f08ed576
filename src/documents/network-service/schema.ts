import { z } from "zod";
import { headSchema, payloadSchema } from "../fragments/head.ts";
import { labelsSchema } from "../fragments/labels.ts";

export const networkServiceSchema = z
  .strictObject({
    ...headSchema("NetworkService"),
    name: z.string().min(1, "a network service needs a name").describe("The service's name in the mesh."),
    payload: payloadSchema.optional().describe("Default: ETHERNET."),
    matches: z
      .array(
        z.strictObject({
          sourceSelector: labelsSchema.optional().describe("Labels of the clients. Default: every client."),
          fallthrough: z.boolean().optional().describe("Without an endpoint the next match decides."),
          routes: z
            .array(
              z.strictObject({
                destinationSelector: labelsSchema
                  .optional()
                  .describe("Labels of the endpoints; {{ .label }} is a label of the client."),
                weight: z.int().min(0, "a weight is not negative").max(1_000_000).optional(),
              }),
            )
            .optional(),
          metadata: z
            .strictObject({ labels: labelsSchema.optional() })
            .optional()
            .describe("What forwarders have to be."),
        }),
      )
      .optional()
      .describe("The first match for a client decides. Default: every endpoint is for every client."),
  })
  .meta({ title: "Netloom network service" });

export type NetworkServiceDocument = z.infer<typeof networkServiceSchema>;
