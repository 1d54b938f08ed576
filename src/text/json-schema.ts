import { z } from "zod";

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * A schema as editors take it, as the text of a file. JSON Schema 2020-12. `property` may put another schema in the place of the
 * schema of a property.
 */
export function jsonSchemaText(
  schema: z.ZodType,
  property: (key: string, schema: JsonSchema) => JsonSchema = (_key, each) => each,
): string {
  const document = z.toJSONSchema(schema, {
    io: "input",
    override: ({ jsonSchema }) => {
      // Used for messages only: not a keyword of JSON Schema.
      delete jsonSchema["alternatives"];
      const { properties } = jsonSchema;
      for (const [key, each] of Object.entries(properties ?? {}))
        if (properties && typeof each === "object") properties[key] = property(key, each);
    },
  });
  return `${JSON.stringify(document, null, 2)}\n`;
}
