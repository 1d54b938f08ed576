import { z } from "zod";
import type { FunctionType } from "../../functions/function-type.ts";
import { FUNCTIONS } from "../../functions/functions.ts";
import type { WorkloadRef } from "../../resolvers/resolver.ts";
import { workloadSchema } from "../../resolvers/schema.ts";
import type { Document } from "../../attachments/spec.ts";
import { listAlternatives } from "../../text/problem.ts";
import { guardSchema } from "../fragments/guard.ts";
import { documentSchema } from "../fragments/head.ts";
import { mtuSchema } from "../fragments/mtu.ts";
import { poolsSchema, type PoolsPart } from "../fragments/pools.ts";
import { prefixesSchema } from "../fragments/prefixes.ts";
import { serviceSchema } from "../fragments/service.ts";

/** A document of a function. All functions share these keys; each type adds its own. */
export interface ServiceFunctionDocument extends Document {
  readonly kind: "ServiceFunction";
  readonly spec: ServiceFunctionSpec;
}

interface ServiceFunctionSpec {
  readonly workload: WorkloadRef;
  readonly type: string;
  readonly service: string;
  readonly pools: PoolsPart;
  readonly excludedPrefixes?: string[] | undefined;
  readonly mtu?: number | undefined;
  readonly guard?: boolean | undefined;
}

const alternatives = listAlternatives(FUNCTIONS.map(({ type }) => type));

function specOf({ type, about, keys }: FunctionType) {
  return z.strictObject({
    type: z.literal(type).meta({ alternatives }).describe(about),
    workload: workloadSchema(),
    service: serviceSchema,
    pools: poolsSchema
      .min(1, "name a pool for the wires of its clients")
      .describe("Each client's wire gets a pair of addresses of every group."),
    excludedPrefixes: prefixesSchema.optional().describe("Parts of the pools that no wire gets."),
    mtu: mtuSchema.optional().describe("Largest MTU in bytes. Default: the MTU of the whole path."),
    guard: guardSchema,
    ...keys,
  });
}

const [first, ...others] = FUNCTIONS;

export const serviceFunctionSchema: z.ZodType<ServiceFunctionDocument> = documentSchema({
  kind: "ServiceFunction",
  about: "Name of the function, unique among the functions of its host. It is called name.host in the mesh.",
  spec: z.discriminatedUnion("type", [specOf(first), ...others.map(specOf)]),
});
