import { isScalar, parseAllDocuments, visit } from "yaml";
import { escapeInQuotes } from "./printable.ts";

/** YAML documents that mean the same, without a character that a terminal would obey. */
export function printableYaml(text: string): string {
  // Seldom: everything else stays as it was written.
  if (escapeInQuotes(text) === text) return text;
  const documents = [...parseAllDocuments(text)].map((document) => {
    visit(document, {
      Scalar: (_, node) => {
        if (isScalar(node) && typeof node.value === "string" && escapeInQuotes(node.value) !== node.value)
          node.type = "QUOTE_DOUBLE";
      },
    });
    return document.toString({ lineWidth: 0, directives: false }).replace(/^---\n/, "");
  });
  return escapeInQuotes(documents.join("---\n"));
}
