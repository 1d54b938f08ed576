/** Parses YAML into plain data, and maps places in the data back to line and column. */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  visit,
  type YAMLMap,
} from "yaml";
import { type Finding, formatPath, type Problem, quote } from "./problem.ts";

export interface SourceMap {
  /** The content as plain data. `undefined` if the text is not YAML. */
  readonly data: unknown;
  /** The YAML errors and warnings of the file. */
  readonly problems: readonly Problem[];
  locate(finding: Finding): Problem;
}

const maxFileBytes = 4 << 20;
const maxAliases = 1000;

/** Parses `text` as YAML 1.2 documents. Empty documents are skipped. Never throws: errors are in `problems`. */
export function readYamlStream(text: string, file: string): SourceMap[] {
  const places = new Places(file);
  const large = places.tooLarge(text);
  if (large) return [large];
  return places.reading(() => {
    const options = { lineCounter: places.lines, prettyErrors: false, logLevel: "error" } as const;
    const documents = parseAllDocuments(text, options);
    return [...documents]
      .filter(({ contents, errors }) => !isEmpty(contents) || errors.length > 0)
      .map((each) => places.map(each));
  });
}

/** A document between two `---` may hold nothing, as templates write it. */
function isEmpty(contents: unknown): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.source === "");
}

/** Maps places in one file. */
class Places {
  readonly lines = new LineCounter();
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  tooLarge(text: string): SourceMap | undefined {
    return text.length > maxFileBytes ? this.refuse("the file is larger than 4 MiB") : undefined;
  }

  /** The YAML parser recurses: text nested a few thousand levels deep overflows its stack. */
  reading(read: () => SourceMap[]): SourceMap[] {
    try {
      return read();
    } catch (error) {
      return [this.refuse(`not YAML: ${error instanceof RangeError ? "nested too deeply" : String(error)}`)];
    }
  }

  refuse(message: string): SourceMap {
    const problem = { file: this.#file, line: 1, column: 1, path: "", message };
    return { data: undefined, problems: [problem], locate: () => problem };
  }

  map(document: Document.Parsed): SourceMap {
    const problems = [...document.errors, ...document.warnings].map((error) =>
      this.#at(
        error.pos[0],
        "",
        error.code === "DUPLICATE_KEY"
          ? duplicateKey(document, error.pos[0], this.lines)
          : syntaxError(error),
      ),
    );
    const odd = findOddNodes(document).map(({ offset, message }) => this.#at(offset, "", message));
    problems.push(...odd);
    const locate = (finding: Finding): Problem =>
      this.#at(offsetOf(document, finding), formatPath(finding.path), finding.message);
    const broken = document.errors.some((error) => error.code !== "DUPLICATE_KEY") || odd.length > 0;
    if (broken) return { data: undefined, problems, locate };
    try {
      return { data: document.toJS({ maxAliasCount: maxAliases }), problems, locate };
    } catch (error) {
      const why = error instanceof RangeError ? "nested too deeply" : "too many aliases";
      problems.push(this.#at(0, "", `the file cannot be read: ${why}`));
      return { data: undefined, problems, locate };
    }
  }

  #at(offset: number, path: string, message: string): Problem {
    const { line, col } = this.lines.linePos(Math.max(0, offset));
    return { file: this.#file, line: Math.max(1, line), column: Math.max(1, col), path, message };
  }
}

function syntaxError({ message }: { readonly message: string }): string {
  return `not YAML: ${message.replace(/[.\s]+$/, "").replace(/^./, (letter) => letter.toLowerCase())}`;
}

function duplicateKey(document: Document, offset: number, lines: LineCounter): string {
  let message = "this key appears twice";
  visit(document, {
    Map: (_, map) => {
      const second = map.items.find((pair) => isScalar(pair.key) && pair.key.range?.[0] === offset);
      if (!second) return undefined;
      const first = map.items.find((pair) => keyText(pair) === keyText(second));
      const firstLine = isScalar(first?.key) ? lines.linePos(first.key.range?.[0] ?? 0).line : 0;
      message = `the key ${quote(keyText(second))} appears twice (first on line ${firstLine}); rename or remove one`;
      return visit.BREAK;
    },
  });
  return message;
}

/** Finds keys that plain data cannot hold, malformed strings, and aliases without an anchor. */
function findOddNodes(document: Document): { offset: number; message: string }[] {
  const found: { offset: number; message: string }[] = [];
  visit(document, {
    Alias: (_, alias) => {
      if (alias.resolve(document)) return;
      found.push({
        offset: rangeStart(alias) ?? 0,
        message: `the alias *${alias.source} has no anchor before it`,
      });
    },
    Scalar: (_, node) => {
      if (typeof node.value === "string" && !node.value.isWellFormed())
        found.push({
          offset: rangeStart(node) ?? 0,
          message: `${quote(node.value)} contains half a character (a lone surrogate), which is not valid text; remove it`,
        });
    },
    Pair: (_, pair) => {
      const offset = keyOffset(pair);
      if (!isScalar(pair.key))
        found.push({ offset, message: "a key has to be plain text, not a list, a map or an alias" });
      else if (pair.key.value === "__proto__")
        found.push({ offset, message: 'the key "__proto__" cannot be used' });
    },
  });
  return found;
}

function keyText(pair: Pair): string {
  return isScalar(pair.key) ? `${(pair.key.value ?? "") as string | number | boolean}` : "";
}

function keyOffset(pair: Pair): number {
  const key = pair.key as { range?: [number, number, number] | null } | null;
  return key?.range?.[0] ?? 0;
}

/** Offset of the node at `path`, or of its nearest ancestor. */
function offsetOf(document: Document, finding: Finding): number {
  let node: unknown = document.contents;
  let offset = rangeStart(node) ?? 0;
  for (const [i, part] of finding.path.entries()) {
    if (isAlias(node)) node = node.resolve(document);
    let next: unknown;
    if (isMap(node)) {
      const pair = findPair(node, part);
      if (!pair) return offset;
      if (finding.atKey === true && i === finding.path.length - 1) return keyOffset(pair);
      // The position of an empty value is of no use to a reader: point to its key.
      offset =
        (isScalar(pair.value) && pair.value.value === null ? keyOffset(pair) : rangeStart(pair.value)) ??
        keyOffset(pair);
      next = pair.value;
    } else if (isSeq(node) && typeof part === "number") {
      next = node.items[part];
      offset = rangeStart(next) ?? offset;
    } else {
      return offset;
    }
    node = next;
  }
  return offset;
}

function findPair(map: YAMLMap, key: string | number): Pair | undefined {
  // Of two equal keys the last one counts in the data.
  return map.items.findLast((pair) => keyText(pair) === String(key));
}

function rangeStart(node: unknown): number | undefined {
  return (node as { range?: [number, number, number] | null } | null | undefined)?.range?.[0];
}
