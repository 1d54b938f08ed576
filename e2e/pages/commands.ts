/**
 * The commands of a page: in `console` blocks, a line that starts with a prompt, and its output below.
 *
 * ```
 * $ netloom status            a command on the reader's machine
 * beta$ netloom status        a command on the host beta
 * ```
 *
 * A comment `<!-- varies: 10\.0\.0\.1\d -->` gives a pattern of text that may differ between runs of this page. A
 * comment `<!-- follows: other.md -->` runs the commands of another page first.
 */
import { codeBlocksOf } from "../../scripts/markdown.ts";

export interface PageCommand {
  readonly host: string | undefined;
  readonly command: string;
  /** The output on the page, with newlines at the ends of lines; empty for none. */
  readonly output: string;
  /** The lines of the page with the output, from 1: the first one, and the one after the last. */
  readonly from: number;
  readonly to: number;
}

const PROMPT = /^(?:(alpha|beta|gamma))?\$ (.*)$/;

export function commandsOf(markdown: string): PageCommand[] {
  return codeBlocksOf(markdown, "console").flatMap(({ text, line: first }) => {
    const lines = text.split("\n").slice(0, -1);
    const starts = lines.flatMap((line, index) => (PROMPT.test(line) ? [index] : []));
    return starts.map((start, order) => {
      const [, host, begin = ""] = PROMPT.exec(lines[start] ?? "") ?? [];
      const next = starts[order + 1] ?? lines.length;
      let command = begin;
      let from = start + 1;
      for (; command.endsWith("\\") && from < next; from++) command = `${command}\n${lines[from]}`;
      const output = lines.slice(from, next).map((line) => `${line}\n`);
      return { host, command, output: output.join(""), from: first + from, to: first + next };
    });
  });
}

/** The page in the same folder whose commands run first. */
export function followedBy(markdown: string): string | undefined {
  return /^<!-- follows: (\S+) -->$/m.exec(markdown)?.[1];
}

/** Patterns of text that may differ between runs of this page. */
export function varyingOf(markdown: string): RegExp[] {
  return [...markdown.matchAll(/^<!-- varies: (.+) -->$/gm)].map(
    ([, pattern = ""]) => new RegExp(pattern, "g"),
  );
}
