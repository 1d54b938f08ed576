/** The labels of an endpoint, by service, in the form of a registration. */
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { NetworkServiceEndpointSchema, NetworkServiceLabelsSchema } from "../../api/gen/nsm/registry_pb.js";
import type { Finding } from "../../text/problem.ts";
import { LABELS } from "./labels.ts";
import { checkEntry } from "./limits.ts";
import type { Labels } from "../../registry/matching/match.ts";

/** The fields of a registration that come from a document. */
export function registeredFor(
  labels: ReadonlyMap<string, Labels>,
): Pick<
  MessageInitShape<typeof NetworkServiceEndpointSchema>,
  "networkServiceNames" | "networkServiceLabels"
> {
  return {
    networkServiceNames: [...labels.keys()],
    networkServiceLabels: Object.fromEntries(
      [...labels].map(([service, own]) => [
        service,
        create(NetworkServiceLabelsSchema, { labels: { ...own } }),
      ]),
    ),
  };
}

/** Checks that a registry has room for the labels. */
export function checkRegistered(labels: ReadonlyMap<string, Labels>): Finding[] {
  const entry = create(NetworkServiceEndpointSchema, registeredFor(labels));
  return checkEntry(toBinary(NetworkServiceEndpointSchema, entry), LABELS);
}
