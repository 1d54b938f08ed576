/** The parts that documents of all kinds share, as in Kubernetes resources. */
import { z } from "zod";
import { isRecord } from "../../text/check-shape.ts";
import { API_VERSION, UPSTREAM_API_VERSION } from "../api-version.ts";
import { annotationsSchema, metadataLabelsSchema } from "./metadata-labels.ts";

const NAME = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/** The name of a document: unique on its host among the documents of its kind. */
const nameSchema = z
  .string()
  .regex(NAME, "use 1-63 lower-case letters, digits, dots and hyphens, a letter or digit at both ends");

export const payloadSchema = z.enum(["ETHERNET", "IP"]);

/** Metadata that a Kubernetes API server adds. Accepted, so that a document read from such a server applies unchanged. */
const ADDED_BY_KUBERNETES = {
  creationTimestamp: z.unknown().optional(),
  finalizers: z.unknown().optional(),
  generation: z.unknown().optional(),
  managedFields: z.unknown().optional(),
  namespace: z.string().optional(),
  ownerReferences: z.unknown().optional(),
  resourceVersion: z.unknown().optional(),
  uid: z.unknown().optional(),
} as const;

interface Head<Kind extends string, Spec extends z.ZodType> {
  readonly kind: Kind;
  readonly spec: Spec;
  /** Default: `nameSchema`. */
  readonly name?: z.ZodType<string>;
  /** Description of the name, for editors. */
  readonly about: string;
}

/** A document of one of Netloom's kinds. */
export function documentSchema<Kind extends string, Spec extends z.ZodType>(head: Head<Kind, Spec>) {
  const generation = z.int().optional().describe("Written by netloom get, and ignored.");
  return resourceSchema(API_VERSION, head, { generation });
}

/** A document of a kind that upstream defines. */
export function upstreamSchema<Kind extends string, Spec extends z.ZodType>(head: Head<Kind, Spec>) {
  return resourceSchema(UPSTREAM_API_VERSION, head, ADDED_BY_KUBERNETES);
}

/** `added` are more keys of the metadata. */
function resourceSchema<
  Version extends string,
  Kind extends string,
  Spec extends z.ZodType,
  Added extends z.ZodRawShape,
>(apiVersion: Version, head: Head<Kind, Spec>, added: Added) {
  return z
    .strictObject({
      ...headKeys(apiVersion, head.kind),
      metadata: z.strictObject({ ...metadataKeys(head), ...added }),
      spec: head.spec,
      status: statusSchema,
    })
    .meta({ title: head.kind });
}

function headKeys<Version extends string, Kind extends string>(apiVersion: Version, kind: Kind) {
  return {
    $schema: z.string().optional().describe("For editors."),
    apiVersion: z.literal(apiVersion),
    kind: z.literal(kind),
  };
}

function metadataKeys({ name = nameSchema, about }: Pick<Head<string, z.ZodType>, "name" | "about">) {
  return {
    name: name.describe(about),
    labels: metadataLabelsSchema.optional().describe("Labels that the matches of a service select by."),
    annotations: annotationsSchema.optional().describe("Notes for tools. Netloom keeps them."),
  };
}

/** The status that `netloom get -o yaml` prints. Accepted, so that its output applies again. */
const statusSchema = z
  .unknown()
  .refine(isWritten, "only netloom writes the status; remove it")
  .optional()
  .describe("Written by netloom get, and ignored.");

function isWritten(status: unknown): boolean {
  return status === undefined || (isRecord(status) && Array.isArray(status["conditions"]));
}
