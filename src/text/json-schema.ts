import { z } from "zod";

/** The JSON Schema (2020-12) of `schema` for editors, as file content. */
export function jsonSchemaText(schema: z.ZodType): string {
  const document = z.toJSONSchema(schema, {
    io: "input",
    // Used for messages only: no keyword of JSON Schema.
    override: ({ jsonSchema }) => void delete jsonSchema["alternatives"],
  });
  return `${JSON.stringify(document, null, 2)}\n`;
}
