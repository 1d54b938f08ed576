/** A document as `netloom get -o yaml` prints it. */
import { parse, stringify } from "yaml";
import type { AttachmentView } from "../../view/attachment-view.ts";

/** The document with its generation and status, as Kubernetes shows a resource. `apply` accepts and ignores both. */
export function documentWithStatus({
  document,
  generation,
  observedGeneration,
  conditions,
}: { readonly document: string } & Partial<AttachmentView>): string {
  const { metadata, ...rest } = parse(document) as { readonly metadata: object };
  if (!conditions) return document;
  const { apiVersion, kind, spec } = rest as Readonly<Record<string, unknown>>;
  return stringify(
    {
      apiVersion,
      kind,
      metadata: { ...metadata, generation },
      ...(spec !== undefined && { spec }),
      status: { observedGeneration, conditions },
    },
    { lineWidth: 0 },
  );
}
