/** From the text of YAML documents to wishes, or to everything that is wrong with them: YAML, then shape, then meaning. */
import { checkShape, describe, isRecord } from "../text/check-shape.ts";
import {
  didYouMean,
  FileError,
  type FilePath,
  type Finding,
  inFileOrder,
  listAlternatives,
  type Problem,
  quote,
} from "../text/problem.ts";
import { readYamlStream, type SourceMap } from "../text/source-map.ts";
import {
  attachmentSchemas,
  connectSchema,
  exposeSchema,
  type Kind,
  networkServiceSchema,
  refText,
} from "./attachment.ts";
import { checkConnect, checkExpose, checkService } from "./check-attachment.ts";
import { clashesOf } from "./clashes.ts";
import { connectWish, exposeWish, serviceWish, type Wish } from "./wish.ts";

export type ReadResult =
  | { readonly ok: true; readonly wish: Wish }
  | { readonly ok: false; readonly findings: readonly Finding[] };

export type ParseAttachmentsResult =
  | { readonly ok: true; readonly wishes: readonly Wish[] }
  | { readonly ok: false; readonly problems: readonly Problem[] };

const KINDS = Object.keys(attachmentSchemas) as readonly Kind[];

/** Reads one attachment as data. Never throws. */
export function readAttachment(data: unknown): ReadResult {
  if (!isRecord(data)) return wrong([], `expected a map, got ${describe(data)}`);
  const { kind } = data;
  switch (kind) {
    case "NetworkService":
      return read(checkShape(networkServiceSchema, data), checkService, serviceWish);
    case "Connect":
      return read(checkShape(connectSchema, data), checkConnect, connectWish);
    case "Expose":
      return read(checkShape(exposeSchema, data), checkExpose, exposeWish);
    case undefined:
      return wrong(["kind"], `is missing; it is one of ${listAlternatives(KINDS)}`);
    default: {
      const meant = typeof kind === "string" ? didYouMean(kind, KINDS) : "";
      return wrong(["kind"], `expected ${listAlternatives(KINDS)}, got ${describe(kind)}${meant}`);
    }
  }
}

/** Reads any number of documents. Reports all problems at once, in the order of the file, and never throws. */
export function parseAttachments(text: string, file: string): ParseAttachmentsResult {
  const problems: Problem[] = [];
  const wishes: Wish[] = [];
  const sources: SourceMap[] = [];
  const places = new Map<string, Problem>();
  for (const source of readYamlStream(text, file)) {
    problems.push(...source.problems);
    if (source.data === undefined) continue;
    const result = readAttachment(source.data);
    if (!result.ok) {
      problems.push(...result.findings.map((finding) => source.locate(finding)));
      continue;
    }
    const name = refText(result.wish);
    const place = source.locate({ path: ["name"], message: "" });
    const first = places.get(name);
    if (first) {
      const message = `${quote(name)} is there twice (first on line ${first.line}); rename or remove one`;
      problems.push({ ...place, message });
    }
    places.set(name, place);
    wishes.push(result.wish);
    sources.push(source);
  }
  for (const { index, problem } of clashesOf(wishes)) {
    const place = sources[index]?.locate({ path: ["interface"], message: problem });
    if (place) problems.push(place);
  }
  if (problems.length === 0 && wishes.length === 0)
    problems.push({ file, line: 1, column: 1, path: "", message: "there is no attachment in it" });
  return problems.length === 0 ? { ok: true, wishes } : { ok: false, problems: inFileOrder(problems) };
}

/** Likewise, for those who can do nothing with a wrong file. Throws a `FileError`. */
export function mustParseAttachments(text: string, file: string): readonly Wish[] {
  const result = parseAttachments(text, file);
  if (result.ok) return result.wishes;
  throw new FileError(
    result.problems,
    "docs/attachments.md lists every key; docs/schema/attachment.schema.json lets an editor check while you type",
  );
}

function read<T>(
  shape:
    | { readonly ok: true; readonly data: T }
    | { readonly ok: false; readonly findings: readonly Finding[] },
  check: (document: T) => readonly Finding[],
  mean: (document: T) => Wish,
): ReadResult {
  if (!shape.ok) return shape;
  const findings = check(shape.data);
  return findings.length > 0 ? { ok: false, findings } : { ok: true, wish: mean(shape.data) };
}

function wrong(path: FilePath, message: string): ReadResult {
  return { ok: false, findings: [{ path, message }] };
}
