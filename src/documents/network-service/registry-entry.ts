/** A NetworkService document, as registries have it. */
import { create } from "@bufbuild/protobuf";
import {
  DestinationSchema,
  MatchSchema,
  MetadataSchema,
  NetworkServiceSchema,
  type NetworkService,
} from "../../api/gen/nsm/registry_pb.js";
import { PAYLOAD_ETHERNET } from "../../api/payload.ts";
import type { NetworkServiceDocument } from "./schema.ts";

export function networkServiceOf(document: NetworkServiceDocument): NetworkService {
  return create(NetworkServiceSchema, {
    name: document.name,
    payload: document.payload ?? PAYLOAD_ETHERNET,
    matches: (document.matches ?? []).map((match) =>
      create(MatchSchema, {
        sourceSelector: match.sourceSelector ?? {},
        fallthrough: match.fallthrough ?? false,
        routes: (match.routes ?? []).map(({ destinationSelector, weight }) =>
          create(DestinationSchema, { destinationSelector: destinationSelector ?? {}, weight: weight ?? 0 }),
        ),
        ...(match.metadata && {
          metadata: create(MetadataSchema, { labels: match.metadata.labels ?? {} }),
        }),
      }),
    ),
  });
}
