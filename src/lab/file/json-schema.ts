/** The published schema of all documents, as the text of docs/schema/netloom.schema.json. */
import { z } from "zod";
import { DOCUMENTS } from "../../documents/documents.ts";
import { jsonSchemaText } from "../../text/json-schema.ts";
import { labSchema, wireSchema } from "./schema.ts";

/** One schema for any document of a file. In a lab file the workload of a document may be text. */
export function documentsJsonSchema(): string {
  return jsonSchemaText(
    z.union([...DOCUMENTS.schemas, labSchema, wireSchema]).meta({ title: "Netloom" }),
    (key, schema) => (key === "workload" ? { anyOf: [schema, LAB_WORKLOAD] } : schema),
  );
}

const LAB_WORKLOAD = { type: "string", description: "In the file of a lab: host/workload." } as const;
