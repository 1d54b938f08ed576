/** Writes the documents that are generated from code. With --check reports those that are out of date. */
import { readFileSync, writeFileSync } from "node:fs";
import { cliReference } from "../src/cli/reference.ts";
import { errorReference } from "../src/cli/commands/explain.ts";
import { DOCUMENTS } from "../src/documents/documents.ts";
import { labJsonSchema } from "../src/lab/file/json-schema.ts";

const documents: ReadonlyMap<string, string> = new Map([
  ["docs/cli.md", await cliReference()],
  ["docs/errors.md", errorReference()],
  ["docs/schema/lab.schema.json", labJsonSchema()],
  ["docs/schema/attachment.schema.json", DOCUMENTS.schemaText()],
]);

for (const [path, text] of documents) {
  const file = new URL(`../${path}`, import.meta.url);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else if (readFileSync(file, "utf8") !== text) {
    console.error(`${path} is out of date: run make docs`);
    process.exitCode = 1;
  }
}
