/** The loaded kinds of documents. Reads YAML, then checks its shape, then its meaning, and reports all problems. */
import type { z } from "zod";
import { clashesOf } from "../attachments/clashes.ts";
import type { Contradiction, Kind, Kinds, ParsedDocuments } from "../attachments/kind.ts";
import { type Document, type ReadResult, refText, type Spec } from "../attachments/spec.ts";
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
import { LAB_KINDS } from "./api-version.ts";
import { FORMER_DOCUMENT, fromFormer, isFormer } from "./former.ts";
import type { DocumentKind, KindWords } from "./kind.ts";

type Entry = KindWords & DocumentKind;

/** The loaded kinds of a list of words. */
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

  /** The schemas of all kinds. */
  get schemas(): readonly z.ZodType[] {
    return this.#entries.map(({ schema }) => schema);
  }

  of({ kind }: Spec): Kind {
    const found = this.all.find((each) => each.kind === kind);
    if (!found) throw new TypeError(`there is no kind ${kind}: not a spec of this table`);
    return found;
  }

  contradictions(specs: readonly Spec[]): Contradiction[] {
    return specs.flatMap((spec, index) => {
      const finding = this.of(spec).contradicts?.(
        spec,
        specs.filter((_, i) => i !== index),
      );
      return finding ? [{ index, finding }] : [];
    });
  }

  readKept(data: unknown): ReadResult {
    const notes: string[] = [];
    const result = this.read(isRecord(data) ? fromFormer(data, notes) : data);
    return result.ok ? { ...result, notes } : result;
  }

  read(data: unknown): ReadResult {
    if (!isRecord(data)) return wrong([], `expected a map, got ${describe(data)}`);
    const entry = this.#entryOf(data);
    if ("path" in entry) return { ok: false, findings: [entry] };
    const shape = checkShape(entry.schema, data);
    if (!shape.ok) return shape;
    const document = withoutServerParts(shape.data);
    const findings = entry.check(document);
    return findings.length > 0 ? { ok: false, findings } : { ok: true, spec: entry.mean(document) };
  }

  /** The kind of a document, or the reason why it has none. */
  #entryOf(data: Readonly<Record<string, unknown>>): Entry | Finding {
    if (isFormer(data)) return { path: ["kind"], message: FORMER_DOCUMENT };
    const { apiVersion, kind } = data;
    const kinds = this.all.map((each) => each.kind);
    if (kind === undefined)
      return { path: ["kind"], message: `is missing; it is one of ${listAlternatives(kinds)}` };
    const entry = this.#entries.find((each) => each.kind === kind);
    if (!entry && typeof kind === "string" && LAB_KINDS.includes(kind))
      return { path: ["kind"], message: `a ${kind} is for netloom lab up; an agent does not read it` };
    if (!entry) {
      const meant = typeof kind === "string" ? didYouMean(kind, kinds) : "";
      const message = `expected ${listAlternatives(kinds)}, got ${describe(kind)}${meant}`;
      return { path: ["kind"], message };
    }
    if (apiVersion === entry.apiVersion) return entry;
    if (apiVersion === undefined)
      return { path: ["apiVersion"], message: `is missing; write ${entry.apiVersion}` };
    const [group] = entry.apiVersion.split("/");
    const isOther = typeof apiVersion === "string" && apiVersion.startsWith(`${group}/`);
    const why = isOther ? `this version of netloom reads` : `${entry.kind} is of the group ${group}: write`;
    return { path: ["apiVersion"], message: `${why} ${entry.apiVersion}, not ${describe(apiVersion)}` };
  }

  parse(text: string, file: string): ParsedDocuments {
    const problems: Problem[] = [];
    const specs: Spec[] = [];
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
      const name = refText(result.spec);
      const place = source.locate({ path: ["metadata", "name"], message: "" });
      const first = places.get(name);
      if (first) {
        const message = `${quote(name)} appears twice (first on line ${first.line}); rename or remove one`;
        problems.push({ ...place, message });
      }
      places.set(name, place);
      specs.push(result.spec);
      sources.push(source);
    }
    for (const { index, problem } of clashesOf(specs)) {
      const place = sources[index]?.locate({ path: ["spec", "interface"], message: problem });
      if (place) problems.push(place);
    }
    for (const { index, finding } of this.contradictions(specs)) {
      const place = sources[index]?.locate(finding);
      if (place) problems.push(place);
    }
    if (problems.length === 0 && specs.length === 0)
      problems.push({ file, line: 1, column: 1, path: "", message: "the file has no document" });
    return problems.length === 0 ? { ok: true, specs } : { ok: false, problems: inFileOrder(problems) };
  }

  mustParse(text: string, file: string): readonly Spec[] {
    const result = this.parse(text, file);
    if (result.ok) return result.specs;
    throw new FileError(
      result.problems,
      "docs/reference/attachments.md lists every key; with the output of netloom schema, editors check while you type",
    );
  }
}

/** The parts of a document that people write. A server or an editor adds the others. */
function withoutServerParts({ apiVersion, kind, metadata, spec }: Document): Document {
  const { name, labels, annotations } = metadata;
  return {
    apiVersion,
    kind,
    metadata: { name, ...(labels && { labels }), ...(annotations && { annotations }) },
    ...(spec && { spec }),
  };
}

function wrong(path: FilePath, message: string): ReadResult {
  return { ok: false, findings: [{ path, message }] };
}
