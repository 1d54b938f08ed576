/**
 * The one set of codes for every operating error: the names of the gRPC status codes, so that an error keeps its
 * meaning from the kernel to a stranger's client. Source: https://grpc.io/docs/guides/status-codes/
 */
export type ErrorCode =
  | "CANCELLED"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "UNAUTHENTICATED";

export interface ErrorDetails {
  /** What the reader should do next, as a sentence or a command. Printed on a line of its own. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * Every operating error of Netloom. The message says what was attempted, on what, and why it failed, in lower case;
 * `hint` says what to do. A programmer's error is not one of these: it asserts.
 */
export class NetloomError extends Error {
  override readonly name: string = "NetloomError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.hint = details.hint;
  }
}
