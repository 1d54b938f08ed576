import { z } from "zod";
import { payloadSchema, upstreamSchema } from "../fragments/head.ts";
import { labelsSchema } from "../fragments/labels.ts";

/** An empty selector, such as `source_selector:` without a value, selects everything. */
const selectorSchema = labelsSchema.nullish();

/**
 * Upstream's resource, in its group and with its spelling.
 * Upstream: registry-k8s, apis/networkservicemesh.io/v1; api, pkg/api/registry/networkservice.go
 */
export const networkServiceSchema = upstreamSchema({
  kind: "NetworkService",
  name: z.string().min(1, "a network service needs a name"),
  about: "Name of the service in the mesh.",
  spec: z
    .strictObject({
      name: z.string().optional().describe("Name of the service. It must be metadata.name."),
      payload: payloadSchema.optional().describe("Default: ETHERNET."),
      matches: z
        .array(
          z.strictObject({
            source_selector: selectorSchema.describe("Labels of the clients. Default: every client."),
            fallthrough: z.boolean().optional().describe("If no endpoint fits, the next match decides."),
            routes: z
              .array(
                z.strictObject({
                  destination_selector: selectorSchema.describe(
                    "Labels of the endpoints; {{ .label }} is a label of the client.",
                  ),
                  weight: z.int().min(0, "a weight is not negative").max(1_000_000).optional(),
                }),
              )
              .nullish(),
            metadata: z
              .strictObject({ labels: labelsSchema.nullish() })
              .nullish()
              .describe("Labels of the forwarders."),
          }),
        )
        .nullish()
        .describe("The first match for a client decides. Default: every endpoint is for every client."),
    })
    .nullish(),
});

export type NetworkServiceDocument = z.infer<typeof networkServiceSchema>;
