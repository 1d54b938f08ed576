/**
 * Renders the part of Go's text/template that selectors use: text, `{{ .label }}` and `{{ index . "label" }}`, with the trim
 * markers `{{-` and `-}}`. Anything else is taken literally, as upstream does with a template that does not parse or execute.
 * Upstream: sdk/pkg/tools/matchutils/utils.go
 */
export function renderTemplate(text: string, values: Readonly<Record<string, string>>): string {
  if (!text.includes("{{")) return text;
  const action = /(\s*)\{\{(-?)\s*(?:\.([A-Za-z_]\w*)|index\s+\.\s+"([^"\\]*)")\s*(-?)\}\}/g;
  let rendered = "";
  let end = 0;
  let trimsNext = false;
  const literal = (part: string): string => (trimsNext ? part.trimStart() : part);
  for (const found of text.matchAll(action)) {
    const [whole, space = "", trimsBefore, field, key = "", trimsAfter] = found;
    const before = text.slice(end, found.index) + space;
    rendered += literal(trimsBefore === "-" ? before.trimEnd() : before);
    const label = field ?? key;
    // An absent map key prints `<no value>` as a field, and the empty string through `index`.
    rendered += Object.hasOwn(values, label) ? values[label] : field === undefined ? "" : "<no value>";
    end = found.index + whole.length;
    trimsNext = trimsAfter === "-";
  }
  const rest = text.slice(end);
  const isWhole = !rest.includes("{{") && !text.slice(0, end).replaceAll(action, "").includes("{{");
  return isWhole ? rendered + literal(rest) : text;
}
