import type { Wish } from "../../attachments/wish.ts";
import type { NetworkServiceDocument } from "./schema.ts";

/** The meaning of a NetworkService: the document itself. */
export interface NetworkServiceWish extends Wish {
  readonly document: NetworkServiceDocument;
}

export function networkServiceWish(document: NetworkServiceDocument): NetworkServiceWish {
  const { kind, metadata } = document;
  const { name } = metadata;
  return { kind, name, document, services: [name] };
}
