/** Writes the documents that are generated from code. With --check reports those that are out of date. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { cliReference } from "../src/cli/reference.ts";
import { errorReference } from "../src/cli/commands/explain.ts";
import { documentsJsonSchema } from "../src/lab/file/json-schema.ts";
import { renderPicture } from "./picture.ts";

const pictures = new URL("../docs/pictures/", import.meta.url);

/** Of each picture the path of its SVG, and what is in it. */
function svgs(): [string, string][] {
  const sources = readdirSync(pictures).filter((name) => name.endsWith(".yaml"));
  return sources.map((name) => [
    `docs/pictures/svg/${name.replace(/yaml$/, "svg")}`,
    renderPicture(readFileSync(new URL(name, pictures), "utf8")),
  ]);
}

const documents: ReadonlyMap<string, string> = new Map([
  ["docs/reference/cli.md", await cliReference()],
  ["docs/reference/errors.md", errorReference()],
  ["docs/schema/netloom.schema.json", documentsJsonSchema()],
  ...svgs(),
]);

for (const [path, text] of documents) {
  const file = new URL(`../${path}`, import.meta.url);
  if (!process.argv.includes("--check")) {
    writeFileSync(file, text);
  } else if (!existsSync(file) || readFileSync(file, "utf8") !== text) {
    console.error(`${path} is out of date: run make docs`);
    process.exitCode = 1;
  }
}
