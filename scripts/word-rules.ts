/** Plain words, as far as a machine can keep them: how a comment begins, and words that the glossary bans. */

import type { TextFinding } from "./text-rules.ts";
import type { Token } from "./tokens.ts";

/** A comment that begins with a relative clause names no thing. A question may begin so. */
const RELATIVE = /^(?:What|Who|Whom|Whose|Where|Which|Whoever|Whatever)\b/;

/** Finds comments of TypeScript or C that begin with a relative clause. */
export function relativeClauses(text: string): TextFinding[] {
  const lines = text.split("\n");
  return lines.flatMap((line, i) => {
    const words = commentOn(line, lines[i - 1] ?? "");
    if (words === undefined || !RELATIVE.test(words) || /[?:]$/.test(words)) return [];
    return [{ line: i + 1, why: `a comment begins with a relative clause: ${words.slice(0, 40)}` }];
  });
}

/** The first line of a comment, without its marks; `undefined` for any other line. */
function commentOn(line: string, before: string): string | undefined {
  const block = /^\s*\/\*\*?\s*(.*?)\s*(?:\*\/)?$/.exec(line)?.[1];
  if (block !== undefined && block !== "") return block;
  const isFirst = /^\s*\/\*\*?\s*$/.test(before);
  if (isFirst) return /^\s*\*\s*(.*?)\s*(?:\*\/)?$/.exec(line)?.[1];
  return /^\s*\/\//.test(before) ? undefined : /^\s*\/\/\s*(.*)$/.exec(line)?.[1];
}

/** A regular expression with this many words expects a sentence. So does a string with this many words of letters. */
const WORDS_OF_SENTENCE = { regex: 6, string: 8 } as const;
const WORD = /^["'(]?[a-z]+(?:[-'][a-z]+)*["'),.:;]*$/i;

function isSentence({ kind, text }: Token): boolean {
  const words = text.split(" ");
  if (kind === "regex") return words.length >= WORDS_OF_SENTENCE.regex;
  if (kind !== "string" && kind !== "template") return false;
  return words.filter((word) => WORD.test(word)).length >= WORDS_OF_SENTENCE.string;
}

/** Finds sentences that tests expect more than once. A message is tested in one place: name the expectation, or expect less. */
export function repeatedSentences(tests: ReadonlyMap<string, readonly Token[]>): string[] {
  const firsts = new Map<string, string>();
  return [...tests].flatMap(([path, tokens]) =>
    tokens.flatMap((token) => {
      if (!isSentence(token)) return [];
      const { text, line } = token;
      const at = `${path}:${line}`;
      const first = firsts.get(text);
      if (first !== undefined) return [`${at}: a sentence is expected twice, first at ${first}: ${text}`];
      firsts.set(text, at);
      return [];
    }),
  );
}

export interface BannedWord {
  readonly word: string;
  readonly instead: string;
}

/** The table of the glossary below "Words that Netloom does not use". */
export function bannedWords(glossary: string): BannedWord[] {
  const table = glossary.split("## Words that Netloom does not use")[1] ?? "";
  return [...table.matchAll(/^\| (?!not \||---)([^|]+?) \| ([^|]+?) \|$/gm)].map(
    ([, word = "", instead = ""]) => ({
      word,
      instead,
    }),
  );
}

/** Finds banned words in a text, whatever their case. */
export function wordsBanned(text: string, banned: readonly BannedWord[]): TextFinding[] {
  return text
    .split("\n")
    .flatMap((line, i) =>
      banned.flatMap(({ word, instead }) =>
        new RegExp(`\\b${word}\\b`, "i").test(line)
          ? [{ line: i + 1, why: `the glossary bans "${word}": write ${instead}` }]
          : [],
      ),
    );
}
