import { z } from "zod";
import type { FunctionType } from "../../functions/function-type.ts";
import { FUNCTIONS } from "../../functions/functions.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { workloadSchema } from "../../resolvers/schema.ts";
import type { Document } from "../../attachments/wish.ts";
import { listAlternatives } from "../../text/problem.ts";
import { guardSchema } from "../fragments/guard.ts";
import { headSchema, nameSchema } from "../fragments/head.ts";
import type { Labels } from "../../registry/matching/match.ts";
import { labelsSchema } from "../fragments/labels.ts";
import { mtuSchema } from "../fragments/mtu.ts";
import { poolsSchema, type PoolsPart } from "../fragments/pools.ts";
import { prefixesSchema } from "../fragments/prefixes.ts";
import { serviceSchema } from "../fragments/service.ts";

/** What all functions have; the rest are keys of its type. */
export interface FunctionDocument extends Document {
  readonly kind: "Function";
  readonly workload: WorkloadRef;
  readonly type: string;
  readonly service: string;
  readonly labels: Labels;
  readonly pools: PoolsPart;
  readonly excludedPrefixes?: string[] | undefined;
  readonly mtu?: number | undefined;
  readonly guard?: boolean | undefined;
}

const alternatives = listAlternatives(FUNCTIONS.map(({ type }) => type));

function schemaOf({ type, about, keys }: FunctionType) {
  return z
    .strictObject({
      ...headSchema("Function"),
      name: nameSchema.describe("Name of this wish. The function is called name.host in the mesh."),
      type: z.literal(type).meta({ alternatives }).describe(about),
      workload: workloadSchema(),
      service: serviceSchema,
      labels: labelsSchema.describe(
        "What the service's matches choose it by, and by which they lead from it to what is next.",
      ),
      pools: poolsSchema
        .min(1, "name a pool for the wires of its clients")
        .describe("Each client's wire gets a pair of addresses of every group, as from an Expose."),
      excludedPrefixes: prefixesSchema.optional().describe("Parts of the pools that are not given."),
      mtu: mtuSchema.optional().describe("Bytes, at most. Default: what the whole path carries."),
      guard: guardSchema,
      ...keys,
    })
    .meta({ title: `Netloom function: ${type}` });
}

const [first, ...others] = FUNCTIONS;

export const functionSchema: z.ZodType<FunctionDocument> = z.discriminatedUnion("type", [
  schemaOf(first),
  ...others.map(schemaOf),
]);
