/** Parses the pages of the project: links, headings and code blocks. */
import { posix } from "node:path";

export interface MarkdownLink {
  readonly text: string;
  /** As it is written: `../reference/lab.md#the-file`. */
  readonly target: string;
  readonly line: number;
  readonly isPicture: boolean;
}

export interface Heading {
  readonly level: number;
  readonly text: string;
  /** Its anchor, as GitHub makes it. */
  readonly slug: string;
}

export interface CodeBlock {
  readonly language: string;
  readonly text: string;
  /** The line of its first line of text, from 1. */
  readonly line: number;
}

/** Inline links and pictures, not those in code. */
export function linksOf(markdown: string): MarkdownLink[] {
  return withoutBlocks(markdown).flatMap((raw, index) => {
    const line = raw.replaceAll(/`[^`]*`/g, (code) => "`".repeat(code.length));
    return [...line.matchAll(/(!?)\[([^\]]*)\]\(([^)\s]+)\)/g)].map(
      ({ 1: bang = "", 2: text = "", 3: target = "", index: at }) => {
        const start = at + bang.length + 1;
        return {
          text: raw.slice(start, start + text.length),
          target,
          line: index + 1,
          isPicture: bang === "!",
        };
      },
    );
  });
}

export function headingsOf(markdown: string): Heading[] {
  const counts = new Map<string, number>();
  return withoutBlocks(markdown).flatMap((line) => {
    const [, marks = "", text = ""] = /^(#{1,6}) +(.*?)\s*$/.exec(line) ?? [];
    if (marks === "") return [];
    const base = slugOf(text);
    const count = counts.get(base) ?? 0;
    counts.set(base, count + 1);
    return [{ level: marks.length, text, slug: count === 0 ? base : `${base}-${count}` }];
  });
}

/** The anchor that GitHub gives a heading of this text, if it is the first one of it on its page. */
export function slugOf(heading: string): string {
  return heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

/** Fenced blocks of one language. */
export function codeBlocksOf(markdown: string, language: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  let open: { readonly language: string; readonly line: number; readonly lines: string[] } | undefined;
  for (const [index, line] of markdown.split("\n").entries()) {
    const [, name] = /^```(\w*)/.exec(line) ?? [];
    if (name === undefined) {
      open?.lines.push(line);
    } else if (!open) {
      open = { language: name, line: index + 2, lines: [] };
    } else {
      blocks.push({ language: open.language, line: open.line, text: `${open.lines.join("\n")}\n` });
      open = undefined;
    }
  }
  return blocks.filter((block) => block.language === language);
}

/** Whether a link leaves the project. */
export function isForeign(target: string): boolean {
  return /^[a-z][a-z0-9+.-]*:/i.test(target);
}

/** The file and the anchor that a link of the file `from` leads to; paths are below the project. */
export function resolveLink(from: string, target: string): { path: string; anchor: string } {
  const [path = "", anchor = ""] = target.split("#");
  return { path: path === "" ? from : posix.normalize(posix.join(posix.dirname(from), path)), anchor };
}

/** The lines, with those of fenced blocks empty. */
function withoutBlocks(markdown: string): string[] {
  let isInside = false;
  return markdown.split("\n").map((line) => {
    const isFence = line.startsWith("```");
    if (isFence) isInside = !isInside;
    return isFence || isInside ? "" : line;
  });
}
