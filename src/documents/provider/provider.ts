/** The kind NetworkServiceProvider: a workload of this host offers one or more services. */
import type { Connection } from "../../api/gen/nsm/connection_pb.js";
import { wireIdOf } from "../../elements/wires/wire-id.ts";
import { smallerMtu } from "../../mechanisms/parameters.ts";
import { hash64 } from "../../net/hash.ts";
import { addressesIn } from "../fragments/addresses.ts";
import { OfferController } from "../fragments/offer-controller.ts";
import { ServiceKeeper } from "../fragments/service-keeper.ts";
import type { DocumentKind } from "../kind.ts";
import { networkService } from "../network-service/words.ts";
import { checkProvider } from "./check.ts";
import { type ProviderDocument, providerSchema } from "./schema.ts";
import { type ProviderSpec, providerSpec } from "./spec.ts";

export const providerKind: Readonly<DocumentKind<ProviderDocument, ProviderSpec>> = {
  schema: providerSchema,
  check: checkProvider,
  mean: providerSpec,
  control: (spec, { parts, workloads, has }, { onChange }) =>
    new OfferController<ProviderSpec>({
      parts,
      workloads,
      spec,
      onChange,
      ground: new ServiceKeeper(parts, (name) => has({ kind: networkService.kind, name })),
      serve: (offer) => {
        const { pools, addressPolicy: policy, trust } = offer.spec();
        const excludedPrefixes = (): readonly string[] => offer.spec().excludedPrefixes;
        return parts.newEndpoint({
          name: offer.name,
          place: offer.place,
          interfaceName: (connection) => interfaceName(offer.spec(), connection),
          addresses:
            pools.length === 0
              ? undefined
              : addressesIn(offer.place, parts, { pools, policy, excludedPrefixes }),
          clientRoutes: () => offer.spec().acceptRoutes,
          trust,
          context: () => {
            const { context } = offer.spec();
            return { ...context, mtuBytes: smallerMtu(context.mtuBytes ?? 0, offer.portMtuBytes()) };
          },
        });
      },
      wiresOf: (connection) => [[wireIdOf(connection), "endpoint"]],
      isSame: (a, b) => serverText(a) === serverText(b),
      givenBy: ({ context, excludedPrefixes, acceptRoutes }) =>
        JSON.stringify([context, excludedPrefixes, acceptRoutes]),
    }),
};

/** The device name of a wire. It stays the same after a restart of the agent, so that the agent finds the device. */
function interfaceName({ interfacePrefix }: ProviderSpec, connection: Connection): string {
  // A prefix from the document has been checked, and is used as it is.
  const prefix = interfacePrefix ?? connection.networkService.replaceAll(/[^A-Za-z0-9_.-]/g, "").slice(0, 10);
  const digits = (hash64(`interface ${wireIdOf(connection)}`) % 36n ** 4n).toString(36).padStart(4, "0");
  return `${prefix}-${digits}`;
}

/** The parts of the spec that cannot change while wires are established, as text. */
function serverText(spec: ProviderSpec): string {
  const { name, workload, interfacePrefix, pools, addressPolicy, trust } = spec;
  return JSON.stringify([name, workload, interfacePrefix, pools, addressPolicy, trust]);
}
