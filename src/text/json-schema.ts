import { z } from "zod";

/** A schema as editors take it, as the text of a file. JSON Schema 2020-12. */
export function jsonSchemaText(schema: z.ZodType): string {
  const document = z.toJSONSchema(schema, {
    io: "input",
    // What sentences need, and editors do not know.
    override: ({ jsonSchema }) => void delete jsonSchema["alternatives"],
  });
  return `${JSON.stringify(document, null, 2)}\n`;
}
