import { NetloomError, type Topic } from "../world/errors.ts";
import type { Format, Output } from "./output.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The error as data: the shape that `-o json` prints on stderr, under the key `error`. */
interface ErrorDocument {
  readonly code: string;
  /** Its page: `netloom explain NL-303`. */
  readonly topic: Topic;
  /** What was attempted, on what, and why it failed. */
  readonly message: string;
  /** What to do next. */
  readonly hint?: string;
}

/**
 * Prints an error: what and why on the first line, what to do next on a line of its own, and where there is more. A
 * stack only with NETLOOM_DEBUG=1.
 */
export function reportError(err: Output, error: unknown, format: Format, env: Environment): void {
  const document = describeError(error);
  if (format === "json") {
    err.json({ error: document });
  } else {
    for (const line of document.message.split("\n")) err.line(`${err.style("red", "error:")} ${line}`);
    if (document.hint !== undefined) err.line(`${err.style("cyan", "hint:")} ${document.hint}`);
    err.line(`${err.style("dim", "more:")} netloom explain ${document.topic}`);
  }
  if (isSet(env["NETLOOM_DEBUG"]) && error instanceof Error) {
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause) err.line(cause.stack ?? "");
  }
}

function describeError(error: unknown): ErrorDocument {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof NetloomError) {
    const { code, topic } = error;
    return { code, topic, message, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  }
  return {
    code: "INTERNAL",
    topic: "NL-013",
    message,
    hint: "this is a fault of netloom: run it again with NETLOOM_DEBUG=1 and report what it prints",
  };
}

/** The format that a command line asks for, found without parsing it: it may be the command line that is wrong. */
export function formatOf(args: readonly string[], env: Environment): Format {
  const asked = args.some(
    (arg, index) =>
      arg === "-ojson" ||
      arg === "--output=json" ||
      ((arg === "-o" || arg === "--output") && args[index + 1] === "json"),
  );
  return asked || env["NETLOOM_OUTPUT"] === "json" ? "json" : "text";
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "" && value !== "0";
}
