/**
 * The commands of a page: in blocks of `console` a line that starts with a prompt, and below it what it prints.
 *
 * ```
 * $ netloom status            a command of the reader's machine
 * beta$ netloom status        a command of the host beta
 * ```
 *
 * A comment `<!-- varies: 10\.0\.0\.1\d -->` says what may differ from run to run on this page. A comment `<!-- follows: other.md -->` says that the commands of another page of the same
 * folder have run before.
 */
import { codeBlocksOf } from "../../scripts/markdown.ts";

export interface PageCommand {
  readonly host: string | undefined;
  readonly command: string;
  /** What the page shows of its output, with newlines at the ends of lines; empty: nothing. */
  readonly output: string;
  /** The lines of the page on which the output stands, from 1: the first one, and the one behind it. */
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

/** The page, beside this one, whose commands have run before. */
export function followedBy(markdown: string): string | undefined {
  return /^<!-- follows: (\S+) -->$/m.exec(markdown)?.[1];
}

/** Patterns of what may differ on this page from run to run. */
export function varyingOf(markdown: string): RegExp[] {
  return [...markdown.matchAll(/^<!-- varies: (.+) -->$/gm)].map(
    ([, pattern = ""]) => new RegExp(pattern, "g"),
  );
}
