/** Converts a NetworkService document to its registry entry. */
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

export function networkServiceOf({ metadata, spec }: NetworkServiceDocument): NetworkService {
  return create(NetworkServiceSchema, {
    name: metadata.name,
    payload: spec?.payload ?? PAYLOAD_ETHERNET,
    matches: (spec?.matches ?? []).map((match) =>
      create(MatchSchema, {
        sourceSelector: match.source_selector ?? {},
        fallthrough: match.fallthrough ?? false,
        routes: (match.routes ?? []).map(({ destination_selector: destinationSelector, weight }) =>
          create(DestinationSchema, { destinationSelector: destinationSelector ?? {}, weight: weight ?? 0 }),
        ),
        ...(match.metadata && {
          metadata: create(MetadataSchema, { labels: match.metadata.labels ?? {} }),
        }),
      }),
    ),
  });
}
