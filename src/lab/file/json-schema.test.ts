import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { labJsonSchema } from "./json-schema.ts";

test("the published schema is the one that the parser uses", () => {
  const published = readFileSync(new URL("../../../docs/schema/lab.schema.json", import.meta.url), "utf8");
  assert.equal(published, labJsonSchema(), "run: make docs");
});
