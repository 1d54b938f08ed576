/** The kind ServiceFunction: a workload of this host stands in the middle of a service chain. */
import { wireIdOf, wiresBehind } from "../../elements/wires/wire-id.ts";
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import type { Side } from "../../mechanisms/side.ts";
import { addressesIn } from "../fragments/addresses.ts";
import { OfferController } from "../fragments/offer-controller.ts";
import type { DocumentKind } from "../kind.ts";
import { checkServiceFunction } from "./check.ts";
import { LeadsOn, leadsBackBeside } from "./leads-on.ts";
import { type ServiceFunctionDocument, serviceFunctionSchema } from "./schema.ts";
import { type ServiceFunctionSpec, serviceFunctionSpec } from "./spec.ts";

export const serviceFunctionKind: Readonly<DocumentKind<ServiceFunctionDocument, ServiceFunctionSpec>> = {
  schema: serviceFunctionSchema,
  check: checkServiceFunction,
  mean: serviceFunctionSpec,
  contradicts: leadsBackBeside,
  control: (spec, { parts, workloads, answers }, { onChange }) =>
    new OfferController<ServiceFunctionSpec>({
      parts,
      workloads,
      spec,
      onChange,
      ground: new LeadsOn(parts),
      asks: ({ service, ownLabels: labels }) => ({ service, labels }),
      serve: ({ spec: now, name, workload, place }) =>
        parts.newFunction({
          name,
          workload,
          netns: place.netns,
          addresses: addressesIn(place, parts, {
            pools: now().pools,
            excludedPrefixes: () => now().excludedPrefixes,
          }),
          context: () => now().context,
          labels: () => now().ownLabels,
          passage: () => now().passage,
          answers,
        }),
      wiresOf,
      isSame: (a, b) => placeText(a) === placeText(b),
      givenBy: ({ document }) => JSON.stringify(document),
    }),
};

/** The wire of the client, and the next wire of the chain. */
function wiresOf(connection: Connection): (readonly [id: string, end: Side])[] {
  const next = wiresBehind(connection).slice(0, 1);
  return [[wireIdOf(connection), "endpoint"], ...next.map(({ id }) => [id, "client"] as const)];
}

/** The parts of the spec that cannot change while wires are established, as text. */
function placeText({
  name,
  workload,
  service,
  pools,
  document: {
    spec: { type },
  },
}: ServiceFunctionSpec): string {
  return JSON.stringify([name, workload, service, pools, type]);
}
