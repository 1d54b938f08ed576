import { z } from "zod";
import { labSchema } from "./schema.ts";

/** The published schema of lab files, as the text of docs/schema/lab.schema.json. JSON Schema 2020-12. */
export function labJsonSchema(): string {
  return `${JSON.stringify(z.toJSONSchema(labSchema, { io: "input" }), null, 2)}\n`;
}
