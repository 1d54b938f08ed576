/**
 * What people ask of an agent, as YAML documents:
 *
 *   kind: NetworkService   what a service is, for the whole mesh
 *   kind: Connect          a workload of this host wants a wire to a service
 *   kind: Expose           a workload of this host offers one or more services
 *
 * This file has the shape; what values mean is read by parse-attachments.ts. The JSON schema for editors is made of it.
 */
import { z } from "zod";
import { workloadSchema } from "../resolvers/schema.ts";
import { mtuSchema, policySchema, routesSchema } from "../text/wire-schema.ts";

const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

const text = z.string();
const labels = z.record(z.string(), z.string());
const prefixes = z.array(text);
const payload = z.enum(["ETHERNET", "IP"]);
const name = z
  .string()
  .regex(NAME, "use 1-63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends");

const workload = workloadSchema();

const routerAdvertisements = z
  .boolean()
  .optional()
  .describe("The workload takes router advertisements and redirects from the wire. Default: false.");

const editor = z.string().optional().describe("For editors.");

export const networkServiceSchema = z
  .strictObject({
    $schema: editor,
    kind: z.literal("NetworkService"),
    name: text.min(1, "a network service needs a name").describe("The service's name in the mesh."),
    payload: payload.optional().describe("Default: ETHERNET."),
    matches: z
      .array(
        z.strictObject({
          sourceSelector: labels.optional().describe("Labels of the clients. Default: every client."),
          fallthrough: z.boolean().optional().describe("Without an endpoint the next match decides."),
          routes: z
            .array(
              z.strictObject({
                destinationSelector: labels
                  .optional()
                  .describe("Labels of the endpoints; {{ .label }} is a label of the client."),
                weight: z.int().min(0, "a weight is not negative").max(1_000_000).optional(),
              }),
            )
            .optional(),
          metadata: z
            .strictObject({ labels: labels.optional() })
            .optional()
            .describe("What forwarders have to be."),
        }),
      )
      .optional()
      .describe("The first match for a client decides. Default: every endpoint is for every client."),
  })
  .meta({ title: "Netloom network service" });

const service = text.describe(
  "Name of the service, with @domain where it is another's, or an address such as kernel://service/interface?label=value.",
);

export const connectSchema = z
  .strictObject({
    $schema: editor,
    kind: z.literal("Connect"),
    name: name.describe("Name of this wish, unique among the wishes of this kind on its host."),
    workload,
    service,
    interface: text
      .optional()
      .describe("Name of the device in the workload. Default: made from the service's name."),
    labels: labels.optional().describe("What the service's matches choose by."),
    mechanism: z.enum(["kernel"]).optional().describe("Default: kernel, a network device."),
    mtu: mtuSchema.optional().describe("Bytes, at most. Default: what the path carries."),
    routerAdvertisements,
    excludedPrefixes: prefixes.optional().describe("No endpoint may give addresses of these."),
    acceptRoutes: prefixes
      .optional()
      .describe("Routes of the endpoint's are taken only inside of these. Default: all of them."),
    endpoint: text
      .optional()
      .describe("Name of the one endpoint to take. Default: the service's matches decide."),
  })
  .meta({ title: "Netloom connect" });

export const exposeSchema = z
  .strictObject({
    $schema: editor,
    kind: z.literal("Expose"),
    name: name.describe("Name of this wish. The endpoint is called name.host in the mesh."),
    workload,
    services: z.array(service).min(1, "name at least one service"),
    interface: text
      .optional()
      .describe("The devices' names begin with it: 10 bytes at most. Default: the service's name."),
    pools: z
      .array(z.union([text, z.array(text)]).meta({ alternatives: "a prefix, or a list of prefixes" }))
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
    labels: labels.optional().describe("What the service's matches choose by."),
    routes: routesSchema.optional().describe("Prefixes that each side reaches through the wire."),
    policies: z
      .array(policySchema)
      .optional()
      .describe("Routes of the client's that hold only for what a policy names."),
    excludedPrefixes: prefixes.optional().describe("Parts of the pools that are not given."),
    acceptRoutes: prefixes
      .optional()
      .describe(
        "Routes that a client names to networks behind it are taken only inside of these. Default: none.",
      ),
    dns: z
      .array(
        z.strictObject({
          servers: z.array(text).min(1, "name a server"),
          searchDomains: z.array(text).optional(),
        }),
      )
      .optional()
      .describe("For the client."),
    payload: payload.optional().describe("Of a service that nobody has described yet. Default: ETHERNET."),
    mtu: mtuSchema.optional().describe("Bytes, at most. Default: what the path carries."),
    routerAdvertisements,
  })
  .meta({ title: "Netloom expose" });

export const attachmentSchemas = {
  NetworkService: networkServiceSchema,
  Connect: connectSchema,
  Expose: exposeSchema,
} as const;

/** Any of them, for editors. */
export const attachmentSchema = z
  .union([networkServiceSchema, connectSchema, exposeSchema])
  .meta({ title: "Netloom attachment" });

export type Kind = keyof typeof attachmentSchemas;
export type NetworkServiceAttachment = z.infer<typeof networkServiceSchema>;
export type ConnectAttachment = z.infer<typeof connectSchema>;
export type ExposeAttachment = z.infer<typeof exposeSchema>;
export type Attachment = NetworkServiceAttachment | ConnectAttachment | ExposeAttachment;

/** Names an attachment on its host. */
export interface Ref {
  readonly kind: Kind;
  readonly name: string;
}

export function refOf({ kind, name }: Ref): Ref {
  return { kind, name };
}

/** `Connect web-db` */
export function refText({ kind, name }: { readonly kind: string; readonly name: string }): string {
  return `${kind} ${name}`;
}
