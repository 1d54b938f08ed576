/** What of an output has to be as the page shows it: all but the figures that differ from run to run. */

/** [what may differ, what stands for it] */
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

/** What may differ on one page. */
export type Varying = readonly RegExp[];

function shapeOf(line: string, varying: Varying): string {
  const own = varying.reduce((text, pattern) => text.replaceAll(pattern, "<varies>"), line.trimEnd());
  return VARYING.reduce((text, [pattern, sign]) => text.replaceAll(pattern, sign), own);
}

/** The lines that count. A shell says by itself, sooner or later, that a program in its background was ended. */
function linesOf(text: string): string[] {
  return text
    .split("\n")
    .filter((line) => line.trim() !== "" && !line.startsWith("set-up:") && line !== "Terminated");
}

/**
 * Whether a page shows what was printed. In what is shown, `…` stands for any text of a line, and a line of nothing else for any
 * number of lines.
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

/** Whether every line that is shown has been printed, in this order, with others in between or not. */
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
