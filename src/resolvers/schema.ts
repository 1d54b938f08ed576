import { z } from "zod";
import { listed } from "../text/problem.ts";
import { RESOLVERS } from "./resolvers.ts";
import type { WorkloadRef } from "./resolver.ts";

/** The shape of a name in a document: `{ netns: /run/netns/web }`, with exactly one key of the resolvers. */
export function workloadSchema(): z.ZodType<WorkloadRef> {
  const abouts = (of: "netns" | "port"): string[] =>
    RESOLVERS.filter(({ leadsTo }) => leadsTo === of).map(({ about }) => about);
  const forms = RESOLVERS.map(({ type, form }) => `{ ${type}: ${form} }`);
  return z
    .union(RESOLVERS.map((resolver) => z.strictObject({ [resolver.type]: resolver.schema(z) })))
    .meta({ alternatives: `one of ${listed(forms)}` })
    .describe(
      `The workload: a network namespace of this host, ${listed(abouts("netns"))}; or an existing device of it, ${listed(abouts("port"))}.`,
    );
}
