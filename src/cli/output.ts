/**
 * What a command says, and where: results on stdout, everything about the way there on stderr. Whatever comes from outside
 * (names, labels, reasons) goes through here, and no character of it steers the terminal.
 */
import { randomBytes } from "node:crypto";
import { styleText } from "node:util";
import { escapeInQuotes, printable, printableLines } from "../text/printable.ts";

export type Format = "text" | "json";

/** The part of a stream that is needed here. `process.stdout` is one; a test passes an array in its place. */
export interface Sink {
  write(text: string | Uint8Array, done?: () => void): unknown;
  /** Whether escape sequences are welcome. Absent: no. */
  readonly isTTY?: boolean;
  /** Size of the terminal. */
  readonly columns?: number;
  readonly rows?: number;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Colour is used on a terminal only, and never with NO_COLOR (https://no-color.org) or TERM=dumb. */
export class Output {
  readonly #out: Sink;
  readonly #colored: boolean;
  /** Stands for ESC in what `style` has made, and in nothing that comes from outside. */
  readonly #escape = `<${randomBytes(9).toString("base64")}>`;

  constructor(out: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#colored = out.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  }

  /** The terminal's size; `undefined` if it is none. */
  get terminal(): { readonly columns: number; readonly rows: number } | undefined {
    if (this.#out.isTTY !== true) return undefined;
    // A terminal that has just been made says 0.
    return { columns: this.#out.columns || 80, rows: this.#out.rows || 24 };
  }

  /** Writes `text`, with every character that would steer a terminal as its number. */
  write(text: string): void {
    const safe = printableLines(text);
    this.#out.write(this.#colored ? safe.replaceAll(this.#escape, "\u001B") : safe);
  }

  /** Steers the terminal. */
  control(sequence: string): void {
    this.#out.write(sequence);
  }

  /** Writes bytes for a program as they are, hence never to a terminal. Resolves when they have left, or cannot any more. */
  async bytes(data: Uint8Array): Promise<void> {
    if (this.terminal) throw new TypeError("bytes would steer the terminal");
    await new Promise<void>((resolve) => this.#out.write(data, resolve));
  }

  /** Writes `text` and a line feed. */
  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** Writes one JSON document in a line. */
  jsonLine(document: unknown): void {
    this.line(escapeInQuotes(JSON.stringify(document)));
  }

  /** Writes one JSON document, indented, so that it is read by people too. */
  json(document: unknown): void {
    this.line(escapeInQuotes(JSON.stringify(document, null, 2)));
  }

  style(style: Style | readonly Style[], text: string): string {
    if (!this.#colored) return text;
    return styleText(style as Style, printableLines(text), { validateStream: false }).replaceAll(
      "\u001B",
      this.#escape,
    );
  }
}

/** `1 wire`, `2 wires`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Pads every column to its widest cell; the last one stays as it is. A cell is one line of text without colours. */
export function table(given: readonly (readonly string[])[], gap = "  "): string[] {
  const rows = given.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join(gap)
      .trimEnd(),
  );
}
