/** Problems of files that people write, and their places. */
import { NetloomError } from "../errors/errors.ts";
import { escapeInQuotes } from "./printable.ts";

/** A place in the file: keys and indexes from the top, as in `["wires", 0, "client"]`. */
export type FilePath = readonly (string | number)[];

/** A problem before its line and column are known. */
export interface Finding {
  readonly path: FilePath;
  /** The fault and its remedy, in one sentence without the final full stop. */
  readonly message: string;
  /** True if the key is wrong rather than its value. */
  readonly atKey?: boolean;
}

/** The findings about a part of a file that stands under `key`. */
export function within(key: string, findings: readonly Finding[]): Finding[] {
  return findings.map((finding) => ({ ...finding, path: [key, ...finding.path] }));
}

/** A finding with its line and column. */
export interface Problem {
  readonly file: string;
  /** Line and column count from 1. */
  readonly line: number;
  readonly column: number;
  /** `wires[0].client`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** One line for display: `first.yaml:7:13: wires[0].client: unknown host "alhpa"; did you mean "alpha"?` */
export function formatProblem(problem: Problem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === ""
    ? `${place}: ${problem.message}`
    : `${place}: ${problem.path}: ${problem.message}`;
}

/** INVALID_ARGUMENT with every problem of a file, in file order. The message has one line for each problem. */
export class FileError extends NetloomError {
  override readonly name: string = "FileError";
  readonly problems: readonly Problem[];

  constructor(problems: readonly Problem[], hint: string) {
    super("INVALID_ARGUMENT", problems.map(formatProblem).join("\n"), { topic: "NL-102", hint });
    this.problems = problems;
  }
}

export function formatPath(path: FilePath): string {
  return path
    .map((part, i) => (typeof part === "number" ? `[${part}]` : `${i === 0 ? "" : "."}${quoteKey(part)}`))
    .join("");
}

function quoteKey(key: string): string {
  return /^[\w$-]+$/.test(key) ? key : quote(key);
}

/** Quotes text of a file for a message: control characters escaped, cut after 60 characters. */
export function quote(text: string): string {
  return escapeInQuotes(JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text));
}

/** `; did you mean "alpha"?` if one of `candidates` is similar to `text`, else an empty string. */
export function didYouMean(text: string, candidates: Iterable<string>): string {
  const best = nearest(text, candidates);
  return best === undefined ? "" : `; did you mean ${quote(best)}?`;
}

/** The candidate most similar to `text`, if one is similar enough. */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(text.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(text.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/**
 * The edit distance of two texts: insertions, deletions, substitutions and swaps of neighbours; `limit` if it is `limit` or
 * more.
 */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let distance = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        distance = Math.min(distance, (beforeLast[j - 2] ?? 0) + 1);
      row.push(distance);
    }
    beforeLast = last;
    last = row;
  }
  return Math.min(limit, last[b.length] ?? limit);
}

/** `"a"`, `"a" or "b"`, `"a", "b" or "c"`. */
export function listAlternatives(texts: readonly string[]): string {
  return listed(texts.map(quote));
}

/** `a`, `a or b`, `a, b or c`. */
export function listed(texts: readonly string[]): string {
  const last = texts.at(-1) ?? "nothing";
  return texts.length < 2 ? last : `${texts.slice(0, -1).join(", ")} or ${last}`;
}

/** Sorts problems by place and removes duplicates. */
export function inFileOrder(problems: readonly Problem[]): Problem[] {
  const seen = new Set<string>();
  return problems
    .filter((problem) => {
      const identity = `${problem.line}:${problem.column}:${problem.path}:${problem.message}`;
      return !seen.has(identity) && seen.add(identity);
    })
    .sort((a, b) => a.line - b.line || a.column - b.column);
}
