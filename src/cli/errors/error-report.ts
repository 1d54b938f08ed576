import { getSystemErrorMessage } from "node:util";
import { NetloomError, type ErrorCode, type Topic } from "../../errors/errors.ts";
import type { Reason } from "../../errors/reasons.ts";
import type { Format, Output } from "../output.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** The error as data: the shape that `-o json` prints on stderr, under the key `error`. */
interface ErrorDocument {
  readonly code: string;
  /** Topic of its page: `netloom explain NL-303`. */
  readonly topic: Topic;
  /** The attempted action, its object, and why it failed. */
  readonly message: string;
  /** The next step for the user. */
  readonly hint?: string;
  /** The reason as data: a name of docs/reference/errors.md with its fields. */
  readonly cause?: Reason;
}

/**
 * Prints an error: what and why on the first line, the hint on its own line, and where to read more. A stack only with
 * NETLOOM_DEBUG=1.
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
    const { code, topic, hint, reason: cause } = error;
    return { code, topic, message, ...(hint !== undefined && { hint }), ...(cause && { cause }) };
  }
  const refused = systemRefusal(error);
  if (refused) return refused;
  return {
    code: "INTERNAL",
    topic: "NL-013",
    message,
    hint: "this is a fault of netloom: run it again with NETLOOM_DEBUG=1 and report what it prints",
  };
}

const SYSTEM_CODES: Readonly<Record<string, ErrorCode>> = {
  EACCES: "PERMISSION_DENIED",
  EPERM: "PERMISSION_DENIED",
  ENOENT: "NOT_FOUND",
  EEXIST: "ALREADY_EXISTS",
  ENOSPC: "RESOURCE_EXHAUSTED",
  EDQUOT: "RESOURCE_EXHAUSTED",
  EMFILE: "RESOURCE_EXHAUSTED",
  ENFILE: "RESOURCE_EXHAUSTED",
  ENOMEM: "RESOURCE_EXHAUSTED",
};

/** An error from a refusal of the operating system, which is a problem of the machine and not a bug. */
function systemRefusal(error: unknown): ErrorDocument | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  const { code, syscall, errno } = error as NodeJS.ErrnoException;
  if (code === undefined || errno === undefined || !/^E[A-Z0-9]+$/.test(code)) return undefined;
  const path = (error as NodeJS.ErrnoException).path ?? "";
  // Node.js also reports ENOENT for mkdir on a read-only file system.
  const isFolder = syscall === "mkdir" && code === "ENOENT";
  const words = isFolder ? "it cannot be made; is the file system read-only?" : getSystemErrorMessage(errno);
  return {
    code: SYSTEM_CODES[code] ?? "FAILED_PRECONDITION",
    topic: "NL-105",
    message: `${syscall ?? "call the system"}${path === "" ? "" : ` ${path}`}: ${code}: ${words}`,
    hint: "this machine refuses it: check that the path exists, is writable and has space",
  };
}

/** The output format of a command line, found without parsing it, because the command line itself may be wrong. */
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
