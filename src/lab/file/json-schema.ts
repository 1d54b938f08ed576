import { jsonSchemaText } from "../../text/json-schema.ts";
import { labSchema } from "./schema.ts";

/** The published schema of lab files, as the text of docs/schema/lab.schema.json. */
export function labJsonSchema(): string {
  return jsonSchemaText(labSchema);
}
