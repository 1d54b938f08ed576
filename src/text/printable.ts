/**
 * Escapes untrusted text for a terminal: control characters, bidirectional formats, line separators and lone surrogates are
 * written as code points.
 */

/** Escapes text for a single line: `\u{1b}[2J`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, number);
}

/** As `printable`, but keeps line feeds and tabs. */
export function printableLines(text: string): string {
  return text.replace(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[^\P{Cc}\n\t]/gu, number);
}

/** Escapes text inside JSON quotes or YAML double quotes: `\u202e`. The parsed value stays the same. */
export function escapeInQuotes(text: string): string {
  return text.replace(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[^\P{Cc}\n\t]/gu, (character) =>
    Array.from({ length: character.length }, (_, i) => unit(character.charCodeAt(i))).join(""),
  );
}

function number(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function unit(code: number): string {
  return `\\u${code.toString(16).padStart(4, "0")}`;
}
