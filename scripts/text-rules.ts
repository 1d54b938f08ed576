/**
 * No control flow by text: code decides by an error's code or reason (src/errors), never by its words, which anybody may improve.
 * The scan reads tokens, so that it does not see a text in a variable with another name.
 */
import type { Token } from "./tokens.ts";

/** Names of texts for people, bare or as a property. */
const TEXTS: ReadonlySet<string> = new Set(["message", "details", "reason", "hint", "stack"]);

/** Methods of a text that look into it. */
const LOOKING: ReadonlySet<string> = new Set(
  "includes startsWith endsWith indexOf lastIndexOf match matchAll search split replace replaceAll".split(
    " ",
  ),
);

/** Methods that look into their argument. */
const LOOKING_INTO: ReadonlySet<string> = new Set(
  "test exec includes startsWith endsWith indexOf lastIndexOf match matchAll search".split(" "),
);

/** Files that may look into a text, each with its reason. */
const READERS: ReadonlyMap<string, string> = new Map([
  ["cli/errors/error-report.ts", "it prints a message line by line"],
  ["cli/errors/usage-error.ts", "commander has what was meant in its message only, which is worded anew"],
  [
    "linux/batch/no-feature.ts",
    "the kernel has one errno for no driver and no support, and tells them apart in words",
  ],
  ["linux/probe/probe-trials.ts", "likewise"],
  ["text/check-shape.ts", "zod tells its own message from that of a schema by nothing else"],
  ["text/source-map.ts", "the parser's message is worded anew"],
  ["transport/grpc-text.ts", "grpc-js says it in no other way"],
]);

export interface TextFinding {
  readonly line: number;
  readonly why: string;
}

/** Finds each place where a file looks into the text of an error without being listed in `READERS`, and each unused entry of the list. */
export function textDecisions(path: string, tokens: readonly Token[]): TextFinding[] {
  const found = looks(tokens);
  if (!READERS.has(path)) return found;
  return found.length > 0 ? [] : [{ line: 1, why: "it looks into no text: take it off the list of READERS" }];
}

function looks(tokens: readonly Token[]): TextFinding[] {
  return tokens.flatMap(({ kind, text, line, depth }, i) => {
    if (kind !== "name" || !TEXTS.has(text)) return [];
    const method = isDot(tokens[i + 1]) && tokens[i + 3]?.text === "(" ? tokens[i + 2]?.text : undefined;
    if (method !== undefined && LOOKING.has(method)) return [finding(line, `${text}.${method}`)];
    if (text !== "reason" && isComparedWithText(tokens, i))
      return [finding(line, `${text} ${tokens[i + 1]?.text} "…"`)];
    const isWhole = !isDot(tokens[i + 1]) && tokens[i + 1]?.text !== ":" && tokens[i + 1]?.text !== "(";
    const call = isWhole ? calledWith(tokens, i, depth) : undefined;
    return call !== undefined && LOOKING_INTO.has(call) ? [finding(line, `${call}(${text})`)] : [];
  });
}

/** A `reason` is often one of a few words, and an empty text is not text. */
function isComparedWithText(tokens: readonly Token[], index: number): boolean {
  const [sign, other] = [tokens[index + 1], tokens[index + 2]];
  return /^[!=]==?$/.test(sign?.text ?? "") && other?.kind === "string" && other.text !== "";
}

function finding(line: number, what: string): TextFinding {
  return { line, why: `it decides by a text, ${what}: ask the error for its code or its reason` };
}

/** The method that the token at `index` is an argument of, also inside of a template. */
function calledWith(tokens: readonly Token[], index: number, depth: number): string | undefined {
  let open = index;
  while (open >= 0 && (tokens[open]?.depth ?? 0) >= depth) open--;
  const opening = tokens[open];
  if (opening?.kind === "template") return calledWith(tokens, open, opening.depth);
  return opening?.text === "(" && isDot(tokens[open - 2]) ? tokens[open - 1]?.text : undefined;
}

function isDot(token: Token | undefined): boolean {
  return token?.text === "." || token?.text === "?.";
}
