/**
 * The flight recorder (rule R12): every result of a World call, in the order in which the program got it, as lines of JSON
 * in a ring of bounded size. It also holds the program's calls, so that a replay notices a different program.
 */
import { NetloomError } from "../../errors/errors.ts";
import { detailsOf, KernelError, type KernelErrorDetails } from "../../kernel/kernel.ts";
import type { Arrived } from "./carried-handler.ts";

/** The outcome of a call. */
export type RecordedOutcome = { readonly value: unknown } | { readonly error: unknown };

export type RecordingEntry =
  /** A synchronous call and its outcome. */
  | { readonly kind: "ask"; readonly name: string; readonly args: unknown; readonly outcome: RecordedOutcome }
  /** The beginning of an asynchronous call, numbered from 0. */
  | { readonly kind: "call"; readonly name: string; readonly args: unknown; readonly call: number }
  /** The end of an asynchronous call. */
  | { readonly kind: "settle"; readonly call: number; readonly outcome: RecordedOutcome }
  /** A call to one of the program's listeners, which are numbered from 0. */
  | {
      readonly kind: "in";
      readonly call: number;
      readonly listener: number;
      readonly how: "call" | "watch";
      readonly arrived: Arrived;
    }
  /** The caller wants the next answer of a stream. */
  | { readonly kind: "pull"; readonly call: number; readonly stream: number }
  /** The caller has gone away. */
  | { readonly kind: "gone"; readonly call: number }
  /** The program's answer. */
  | { readonly kind: "out"; readonly call: number; readonly outcome: RecordedOutcome };

export class Recording {
  readonly host: string;
  readonly #limitBytes: number;
  readonly #lines: string[] = [];
  #bytes = 0;
  #dropped = 0;

  /** Drops the oldest entries when the recording has more than `limitBytes` characters. */
  constructor(host: string, limitBytes: number) {
    this.host = host;
    this.#limitBytes = limitBytes;
  }

  /** Reads the result of `text`. INVALID_ARGUMENT for anything else. */
  static parse(text: string): Recording {
    const [head = "", ...lines] = text.split("\n").slice(0, -1);
    const fields = /^netloom-recording 1 (\d+) (\S+)$/.exec(head);
    if (!fields) throw new NetloomError("INVALID_ARGUMENT", "read a recording: it does not begin as one");
    const recording = new Recording(fields[2] ?? "", Infinity);
    recording.#dropped = Number(fields[1]);
    const broken = lines.findIndex((line) => !isJson(line));
    if (broken >= 0)
      throw new NetloomError("INVALID_ARGUMENT", `read a recording: entry ${broken} is broken`);
    recording.#lines.push(...lines);
    return recording;
  }

  add(entry: RecordingEntry): void {
    const line = encodeValue(entry);
    this.#lines.push(line);
    this.#bytes += line.length;
    while (this.#bytes > this.#limitBytes) {
      this.#bytes -= this.#lines.shift()?.length ?? this.#bytes;
      this.#dropped += 1;
    }
  }

  /** The number of dropped entries. Only a recording without dropped entries can be replayed. */
  get dropped(): number {
    return this.#dropped;
  }

  get lines(): readonly string[] {
    return this.#lines;
  }

  /** The content of the ring as a file. */
  text(): string {
    return [`netloom-recording 1 ${this.#dropped} ${this.host}`, ...this.#lines, ""].join("\n");
  }
}

/** Encodes a value as JSON with bytes, errors, infinity and `undefined`. */
export function encodeValue(value: unknown): string {
  return JSON.stringify(toPlain(value));
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function toPlain(value: unknown): unknown {
  if (value === undefined) return { $undefined: true };
  if (value === Infinity) return { $infinity: true };
  if (value instanceof Uint8Array) return { $bytes: toHex(value) };
  if (value instanceof NetloomError) {
    const { name, code, message } = value;
    return { $error: toPlain({ name, code, message, ...detailsOf(value) }) };
  }
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, toPlain(inner)]));
}

export function decodeValue(text: string): unknown {
  return revive(JSON.parse(text));
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== "object" || value === null) return value;
  if ("$bytes" in value) return fromHex(String(value.$bytes));
  if ("$undefined" in value) return undefined;
  if ("$infinity" in value) return Infinity;
  if ("$error" in value) return toError(revive(value.$error) as ErrorFields);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, revive(inner)]));
}

type ErrorFields = Pick<NetloomError, "name" | "code" | "message"> & KernelErrorDetails;

function toError({ name, code, message, ...details }: ErrorFields): Error {
  return name === "KernelError"
    ? new KernelError(code, message, details)
    : new NetloomError(code, message, details);
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function fromHex(digits: string): Uint8Array {
  return Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
    Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
  );
}
