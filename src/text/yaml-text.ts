import { isScalar, parseAllDocuments, visit } from "yaml";
import { escapeInQuotes } from "./printable.ts";

/** Rewrites YAML documents without characters that control a terminal. The parsed data stays the same. */
export function printableYaml(text: string): string {
  // Rarely needed: all other text is returned unchanged.
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
