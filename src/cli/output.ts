/**
 * The output of a command: results on stdout, everything else on stderr. Text from outside (names, labels, reasons)
 * passes through here, and none of its characters can control the terminal.
 */
import { randomBytes } from "node:crypto";
import { styleText } from "node:util";
import { escapeInQuotes, printable, printableLines } from "../text/printable.ts";

export type Format = "text" | "json";

/** The part of a stream that output needs. `process.stdout` is one; a test passes an array instead. */
export interface Sink {
  write(text: string | Uint8Array, done?: () => void): unknown;
  /** The stream accepts escape sequences. Default: no. */
  readonly isTTY?: boolean;
  /** Size of the terminal. */
  readonly columns?: number;
  readonly rows?: number;
}

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/**
 * Writes to one stream. Colour is used only on a terminal, and never with NO_COLOR (https://no-color.org) or TERM=dumb.
 */
export class Output {
  readonly #out: Sink;
  readonly #colored: boolean;
  /** Random stand-in for ESC in the result of `style`; text from outside cannot contain it. */
  readonly #escape = `<${randomBytes(9).toString("base64")}>`;

  constructor(out: Sink, env: Readonly<Record<string, string | undefined>>) {
    this.#out = out;
    this.#colored = out.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb";
  }

  /** The terminal's size; `undefined` if the output is not a terminal. */
  get terminal(): { readonly columns: number; readonly rows: number } | undefined {
    if (this.#out.isTTY !== true) return undefined;
    // A terminal that was just created reports 0.
    return { columns: this.#out.columns || 80, rows: this.#out.rows || 24 };
  }

  /** Writes `text`; characters that would control a terminal are printed as their numbers. */
  write(text: string): void {
    const safe = printableLines(text);
    this.#out.write(this.#colored ? safe.replaceAll(this.#escape, "\u001B") : safe);
  }

  /** Writes a control sequence to the terminal. */
  control(sequence: string): void {
    this.#out.write(sequence);
  }

  /**
   * Writes bytes for a program unchanged, so never to a terminal. Resolves when they are out, or can no longer be
   * written.
   */
  async bytes(data: Uint8Array): Promise<void> {
    if (this.terminal) throw new TypeError("bytes would steer the terminal");
    await new Promise<void>((resolve) => this.#out.write(data, resolve));
  }

  /** Writes `text` and a line feed. */
  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** Writes one JSON document on a line. */
  jsonLine(document: unknown): void {
    this.line(escapeInQuotes(JSON.stringify(document)));
  }

  /** Writes one JSON document, indented for people. */
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

/** Pads every column to its widest cell; the last column stays as it is. A cell is one line of text without colours. */
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
