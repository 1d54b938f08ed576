import { create } from "@bufbuild/protobuf";
import { parseAllDocuments } from "yaml";
import { type Ref, RefSchema } from "../../api/gen/netloom/admin/v1/admin_pb.js";
import { NetloomError } from "../../errors/errors.ts";
import type { DocumentFile } from "./document-files.ts";
import { kindNamed } from "../../documents/kinds.ts";

/** Kind and name of every document in a file. NL-102 for a document without them. */
export function refsOf({ name: file, text }: DocumentFile): Ref[] {
  const documents = parseAllDocuments(text);
  return [...("empty" in documents ? [] : documents)].map((document, index) => {
    const kind = document.get("kind");
    const name = document.getIn(["metadata", "name"]);
    const canonical = typeof kind === "string" ? kindNamed(kind)?.kind : undefined;
    if (document.errors.length === 0 && canonical !== undefined && typeof name === "string")
      return create(RefSchema, { kind: canonical, name });
    throw new NetloomError("INVALID_ARGUMENT", `read ${file}: document ${index + 1} has no kind and name`, {
      topic: "NL-102",
      hint: "netloom diff -f reports the mistakes of a file; netloom delete Kind/name needs no file",
    });
  });
}
