/** A screen that is redrawn after every change. */
import type { Output } from "../output.ts";
import type { ScreenLine } from "./status-screen.ts";

/** Moves the cursor to the top and clears the screen; the terminal's history stays. */
const toTop = "\u001B[H";
const clearBelow = "\u001B[J";
const clearScreen = "\u001B[2J";

export class LiveScreen {
  readonly #out: Output;
  #isFirst = true;

  constructor(out: Output) {
    this.#out = out;
  }

  /** On a terminal the lines replace the previous ones, cut to its size; in a pipe they follow after an empty line. */
  draw(lines: readonly ScreenLine[]): void {
    const { terminal } = this.#out;
    if (!terminal) {
      if (!this.#isFirst) this.#out.line();
      printLines(this.#out, lines);
    } else {
      const fitting = lines.length < terminal.rows ? lines : withoutRest(lines, terminal.rows);
      const cut = fitting.map((line) => ({ ...line, text: cutTo(line.text, terminal.columns) }));
      this.#out.control(`${this.#isFirst ? clearScreen : ""}${toTop}${clearBelow}`);
      printLines(this.#out, cut);
    }
    this.#isFirst = false;
  }
}

export function printLines(out: Output, lines: readonly ScreenLine[]): void {
  for (const { text, style } of lines) out.line(style === undefined ? text : out.style(style, text));
}

/** Cuts the end of the screen: problems come first. */
function withoutRest(lines: readonly ScreenLine[], rows: number): ScreenLine[] {
  const shown = lines.slice(0, Math.max(1, rows - 2));
  return [...shown, { text: `… ${lines.length - shown.length} lines more: netloom status`, style: "dim" }];
}

function cutTo(text: string, columns: number): string {
  return text.length <= columns ? text : `${text.slice(0, Math.max(0, columns - 1))}…`;
}
