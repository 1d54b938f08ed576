/** Converts files of release 0.1.0 and keeps their comments. A part that needs no change stays the same, to the byte. */
import {
  type Alias,
  Document,
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  type Node,
  Pair,
  parseAllDocuments,
  parseDocument,
  visit,
} from "yaml";
import { isRecord } from "../text/check-shape.ts";
import { type Finding, inFileOrder, listed, type Problem } from "../text/problem.ts";
import { readYamlStream } from "../text/source-map.ts";
import { fromFormer, fromFormerLab, isFormer, isFormerLab, kindsOf } from "./former.ts";
import { migrateLab, migrateMap } from "./former-tree.ts";
import { keepFlowStyle } from "./flow-style.ts";
import { SUCCESSORS } from "./successors.ts";

export interface MigratedFile {
  readonly text: string;
  /** The number of converted documents. 0: the file needs no change. */
  readonly converted: number;
  /** A sentence for each key that this version does not know. */
  readonly notes: readonly string[];
}

export type MigrationResult =
  | ({ readonly ok: true } & MigratedFile)
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** Converts the text of a file. Refuses text that is not YAML, and attachments that are no documents. Never throws. */
export function migrateText(text: string, file = "the file"): MigrationResult {
  const sources = readYamlStream(text, file);
  const problems = sources.flatMap((source) => [
    ...source.problems,
    ...oddParts(source.data).map((finding) => source.locate(finding)),
  ]);
  if (problems.length > 0) return { ok: false, problems: inFileOrder(problems) };
  if (!sources.some(({ data }) => isToBeReplaced(data))) return { ok: true, text, converted: 0, notes: [] };
  try {
    const wanted = said(sources.flatMap(({ data }) => successorsOf(data)));
    for (const isPlain of [false, true]) {
      const migrated = rewrite(text, isPlain);
      // An alias may have lost its anchor to another document, or to a place behind it. Then every alias is replaced by a copy.
      if (said(readYamlStream(migrated.text, file).map(({ data }) => data)) === wanted)
        return { ok: true, ...migrated };
    }
  } catch (error) {
    // The file is nested too deeply.
    if (!(error instanceof RangeError)) throw error;
  }
  const message =
    "netloom cannot rewrite this file; convert it by hand, as docs/reference/attachments.md shows";
  return { ok: false, problems: [{ file, line: 1, column: 1, path: "", message }] };
}

function said(documents: readonly unknown[]): string {
  return JSON.stringify(documents);
}

/** The documents that replace a document; the document itself if it needs no change. */
function successorsOf(data: unknown): unknown[] {
  if (!isToBeReplaced(data)) return [data];
  return isFormerLab(data) ? fromFormerLab(data) : [fromFormer(data)];
}

function isToBeReplaced(data: unknown): data is Readonly<Record<string, unknown>> {
  return isRecord(data) && (isFormer(data) || isFormerLab(data));
}

/** The parts of a document that cannot be written, and the wires and attachments of a lab that would get lost. */
function oddParts(data: unknown): Finding[] {
  if (!isTree(data)) return [{ path: [], message: "a part of this contains itself" }];
  if (!isRecord(data) || !isFormerLab(data)) return [];
  const kinds = listed(Object.keys(SUCCESSORS));
  return [
    ...oddItems(data, "wires", {
      isOdd: (wire) => !isRecord(wire),
      message: "expected a map with client and endpoint",
    }),
    ...oddItems(data, "attachments", {
      isOdd: (each) => !isRecord(each) || !isFormer(each),
      message: `this is not a document of release 0.1.0: such a document has a kind (${kinds}) and a name`,
    }),
  ];
}

function oddItems(
  data: Readonly<Record<string, unknown>>,
  key: string,
  { isOdd, message }: { readonly isOdd: (item: unknown) => boolean; readonly message: string },
): Finding[] {
  const list = data[key] ?? [];
  if (!Array.isArray(list)) return [{ path: [key], message: "expected a list" }];
  return list.flatMap((each, i) => (isOdd(each) ? [{ path: [key, i], message }] : []));
}

function isTree(data: unknown, around: readonly unknown[] = []): boolean {
  if (typeof data !== "object" || data === null) return true;
  return !around.includes(data) && Object.values(data).every((each) => isTree(each, [...around, data]));
}

function rewrite(text: string, isPlain: boolean): MigratedFile {
  const notes: string[] = [];
  const parts: string[] = [];
  let converted = 0;
  let at = 0;
  for (const { range } of parseAllDocuments(text, { logLevel: "error" })) {
    const [start, , end] = range;
    const [own, tail] = withoutTail(text.slice(start, end));
    const successors = successorTrees(own.replaceAll("\r\n", "\n"), isPlain, notes);
    const written = successors
      .map((each) => each.toString({ lineWidth: 0, verifyAliasOrder: false }))
      .join("---\n");
    const hasReturns = own.includes("\r\n");
    const kept = hasReturns ? written.replaceAll("\n", "\r\n") : written;
    parts.push(text.slice(at, start), successors.length === 0 ? own : kept, tail);
    converted += successors.length;
    at = end;
  }
  const whole = [...parts, text.slice(at)].join("");
  return { text: withSchema(whole), converted, notes };
}

/** Updates the comment from which editors read the place of the schema. */
function withSchema(text: string): string {
  const former = /(# yaml-language-server: \$schema=(?:\S*\/)?)(?:lab|attachment)\.schema\.json/g;
  return text.replaceAll(former, "$1netloom.schema.json");
}

/** Splits the text of a document from the comments behind it that begin a line, and from its end mark. */
function withoutTail(text: string): [string, string] {
  const lines = text.split(/(?<=\n)/);
  const isMark = (line = ""): boolean => /^\.\.\.(?:\s|$)/.test(line);
  const end = isMark(lines.at(-1)) ? lines.length - 1 : lines.length;
  let start = end;
  for (let i = end - 1; i > 0 && /^(?:#|\s*$)/.test(lines[i] ?? ""); i--)
    if (lines[i]?.startsWith("#") === true) start = i;
  return [lines.slice(0, start).join(""), lines.slice(start).join("")];
}

/** The documents that replace one document. An empty list: it needs no change. */
function successorTrees(own: string, isPlain: boolean, notes: string[]): Document[] {
  const document: Document = parseDocument(own, { logLevel: "error" });
  const data: unknown = document.toJS({ maxAliasCount: -1 });
  if (!isToBeReplaced(data)) return [];
  const contents = isPlain ? plain(document) : document.contents;
  if (!isMap(contents)) return [];
  keepFlowStyle(contents, own);
  if (isFormer(data)) {
    document.contents = migrateMap(contents, data["kind"], notes);
    return [document];
  }
  const { lab, beside } = migrateLab(contents, kindsOf(data["attachments"]), notes);
  document.contents = lab;
  return [document, ...beside.map((map) => new Document(map))];
}

/** The contents with a copy in the place of each alias, without anchors, and with quoted text instead of block text. */
function plain(document: Document): unknown {
  const targets = new Map<Alias, Node | undefined>();
  visit(document, { Alias: (_, alias) => void targets.set(alias, alias.resolve(document)) });
  return copyOf(document.contents, targets);
}

function copyOf(node: unknown, targets: ReadonlyMap<Alias, Node | undefined>): unknown {
  if (!isNode(node)) return node;
  if (isAlias(node)) {
    const copy = copyOf(targets.get(node), targets);
    return isNode(copy)
      ? Object.assign(copy, { comment: node.comment, commentBefore: node.commentBefore })
      : copy;
  }
  const copy = node.clone();
  if ("anchor" in copy) delete copy.anchor;
  if (isScalar(copy) && copy.type?.startsWith("BLOCK") === true) copy.type = "QUOTE_DOUBLE";
  if (isMap(node) && isMap(copy))
    copy.items = node.items.map(({ key, value }) => new Pair(copyOf(key, targets), copyOf(value, targets)));
  if (isSeq(node) && isSeq(copy)) copy.items = node.items.map((item) => copyOf(item, targets));
  return copy;
}
