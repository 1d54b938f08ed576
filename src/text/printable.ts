/**
 * Text from outside, as a terminal may get it: characters that move the cursor, colour, hide or turn what is beside them
 * (controls, bidirectional formats, line separators, halves of characters) are written as their numbers.
 */

/** In one line: `\u{1b}[2J`. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, number);
}

/** Likewise, with line feeds and tabs as they are. */
export function printableLines(text: string): string {
  return text.replace(/[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|[^\P{Cc}\n\t]/gu, number);
}

/** For what stands in quotes of JSON, or in double quotes of YAML: `\u202e`. It means the same as before. */
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
