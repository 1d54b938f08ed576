import type { Spec } from "../../attachments/spec.ts";
import type { NetworkServiceDocument } from "./schema.ts";

/** The meaning of a NetworkService: the document itself. */
export interface NetworkServiceSpec extends Spec {
  readonly document: NetworkServiceDocument;
}

export function networkServiceSpec(document: NetworkServiceDocument): NetworkServiceSpec {
  const { kind, metadata } = document;
  const { name } = metadata;
  return { kind, name, document, services: [name] };
}
