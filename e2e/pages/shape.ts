/** Compares an output with a page: everything must match except the figures that differ between runs. */

/** [pattern of text that may differ, its replacement] */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/time=\S+/g, "time=<time>"],
  [/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, "<id>"],
  [/\b([0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, "<mac>"],
  [/\breceived \d+\/\d+/g, "received <counts>"],
  [/@if\d+/g, "@if<index>"],
  [/inode:\/\/\d+\/\d+/g, "<namespace>"],
  [/\b(vni|pid) \d+/g, "$1 <number>"],
  [/\b\d+ (packets|bytes|attempts?|came back)\b/g, "<count> $1"],
  [/\b(netloom|node|linux) v?\d\S*/g, "$1 <version>"],
  [/\b[\d./]+ ?(µs|ms|s|min|m|h|d)\b/g, "<time>"],
  [/ {2,}/g, "  "],
];

/** Patterns of text that may differ on one page. */
export type Varying = readonly RegExp[];

function shapeOf(line: string, varying: Varying): string {
  const own = varying.reduce((text, pattern) => text.replaceAll(pattern, "<varies>"), line.trimEnd());
  return VARYING.reduce((text, [pattern, sign]) => text.replaceAll(pattern, sign), own);
}

/**
 * The lines to compare. The shell reports by itself, at some point, that a background program ended; such lines are
 * dropped.
 */
function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("set-up:") && line !== "Terminated");
}

/**
 * Returns whether a page shows the printed output. On the page, `…` stands for any text within a line, and a line with
 * only `…` for any number of lines.
 */
export function isShown(shown: string, printed: string, varying: Varying = []): boolean {
  const pattern = linesOf(shown)
    .map((line) => patternOf(line, varying))
    .join("");
  return new RegExp(`^${pattern}$`).test(
    linesOf(printed)
      .map((line) => `${shapeOf(line, varying)}\n`)
      .join(""),
  );
}

/** Returns whether every shown line was printed, in this order, with any lines in between. */
export function isShownIn(shown: string, printed: string, varying: Varying = []): boolean {
  const pattern = linesOf(shown)
    .map((line) => patternOf(line, varying))
    .join("(.*\\n)*");
  return new RegExp(`(^|\\n)${pattern}`).test(
    linesOf(printed)
      .map((line) => `${shapeOf(line, varying)}\n`)
      .join(""),
  );
}

function patternOf(line: string, varying: Varying): string {
  if (line.trim() === "…") return "(.*\\n)*";
  const parts = shapeOf(line, varying).split("…");
  return `${parts.map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join(".*")}\\n`;
}
