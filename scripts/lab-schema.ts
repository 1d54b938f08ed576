/** Writes docs/schema/lab.schema.json from the types of src/lab: `node scripts/lab-schema.ts`. */
import { writeFileSync } from "node:fs";
import { labJsonSchema } from "../src/lab/json-schema.ts";

writeFileSync(new URL("../docs/schema/lab.schema.json", import.meta.url), labJsonSchema());
