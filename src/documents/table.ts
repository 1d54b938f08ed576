/** The kinds of documents, ready to read and to work for: YAML, then shape, then meaning, or everything that is wrong. */
import { z } from "zod";
import { clashesOf } from "../attachments/clashes.ts";
import type { Contradiction, Kind, Kinds, ParsedDocuments } from "../attachments/kind.ts";
import { type ReadResult, refText, type Wish } from "../attachments/wish.ts";
import { checkShape, describe, isRecord } from "../text/check-shape.ts";
import { jsonSchemaText } from "../text/json-schema.ts";
import {
  didYouMean,
  FileError,
  type FilePath,
  inFileOrder,
  listAlternatives,
  type Problem,
  quote,
} from "../text/problem.ts";
import { readYamlStream, type SourceMap } from "../text/source-map.ts";
import type { DocumentKind, KindWords } from "./kind.ts";

type Entry = KindWords & DocumentKind;

/** The kinds of a list of words, loaded. */
export class DocumentTable implements Kinds {
  readonly all: readonly Kind[];
  readonly #entries: readonly Entry[];

  private constructor(entries: readonly Entry[]) {
    this.#entries = entries;
    this.all = entries;
  }

  static async load(words: readonly KindWords[]): Promise<DocumentTable> {
    return new DocumentTable(
      await Promise.all(words.map(async (each) => ({ ...each, ...(await each.load()) }))),
    );
  }

  /** The JSON schema of a document of any kind, for editors. */
  schemaText(): string {
    const schemas = this.#entries.map(({ schema }) => schema);
    return jsonSchemaText(z.union(schemas).meta({ title: "Netloom attachment" }));
  }

  of({ kind }: Wish): Kind {
    const found = this.all.find((each) => each.kind === kind);
    if (!found) throw new TypeError(`there is no kind ${kind}: not a wish of this table`);
    return found;
  }

  contradictions(wishes: readonly Wish[]): Contradiction[] {
    return wishes.flatMap((wish, index) => {
      const finding = this.of(wish).contradicts?.(
        wish,
        wishes.filter((_, i) => i !== index),
      );
      return finding ? [{ index, finding }] : [];
    });
  }

  read(data: unknown): ReadResult {
    if (!isRecord(data)) return wrong([], `expected a map, got ${describe(data)}`);
    const { kind } = data;
    const kinds = this.all.map((each) => each.kind);
    if (kind === undefined) return wrong(["kind"], `is missing; it is one of ${listAlternatives(kinds)}`);
    const entry = this.#entries.find((each) => each.kind === kind);
    if (!entry) {
      const meant = typeof kind === "string" ? didYouMean(kind, kinds) : "";
      return wrong(["kind"], `expected ${listAlternatives(kinds)}, got ${describe(kind)}${meant}`);
    }
    const shape = checkShape(entry.schema, data);
    if (!shape.ok) return shape;
    const findings = entry.check(shape.data);
    return findings.length > 0 ? { ok: false, findings } : { ok: true, wish: entry.mean(shape.data) };
  }

  parse(text: string, file: string): ParsedDocuments {
    const problems: Problem[] = [];
    const wishes: Wish[] = [];
    const sources: SourceMap[] = [];
    const places = new Map<string, Problem>();
    for (const source of readYamlStream(text, file)) {
      problems.push(...source.problems);
      if (source.data === undefined) continue;
      const result = this.read(source.data);
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
    for (const { index, finding } of this.contradictions(wishes)) {
      const place = sources[index]?.locate(finding);
      if (place) problems.push(place);
    }
    if (problems.length === 0 && wishes.length === 0)
      problems.push({ file, line: 1, column: 1, path: "", message: "there is no attachment in it" });
    return problems.length === 0 ? { ok: true, wishes } : { ok: false, problems: inFileOrder(problems) };
  }

  mustParse(text: string, file: string): readonly Wish[] {
    const result = this.parse(text, file);
    if (result.ok) return result.wishes;
    throw new FileError(
      result.problems,
      "docs/reference/attachments.md lists every key; docs/schema/attachment.schema.json lets an editor check while you type",
    );
  }
}

function wrong(path: FilePath, message: string): ReadResult {
  return { ok: false, findings: [{ path, message }] };
}
