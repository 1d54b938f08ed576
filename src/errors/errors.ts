import { type Reason, type ReasonFields, type ReasonName, readReason } from "./reasons.ts";

/**
 * The codes of all operating errors: the names of the gRPC status codes, so that an error keeps its meaning from the
 * kernel to another program's client. Source: https://grpc.io/docs/guides/status-codes/
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

/**
 * The page that explains an error: `NL-303` is a page of docs/reference/errors.md, and `netloom explain NL-303` prints
 * it. The first digit is the area: 0 any, 1 files and the command line, 2 agents, 3 services and endpoints, 4 wires and
 * the kernel, 5 addresses, 6 labs, 7 the network between processes.
 */
export type Topic = `NL-${string}`;

/** The default page of each code, with the number that gRPC gives the code. */
const TOPICS: Readonly<Record<ErrorCode, Topic>> = {
  CANCELLED: "NL-001",
  INVALID_ARGUMENT: "NL-003",
  DEADLINE_EXCEEDED: "NL-004",
  NOT_FOUND: "NL-005",
  ALREADY_EXISTS: "NL-006",
  PERMISSION_DENIED: "NL-007",
  RESOURCE_EXHAUSTED: "NL-008",
  FAILED_PRECONDITION: "NL-009",
  ABORTED: "NL-010",
  UNIMPLEMENTED: "NL-012",
  INTERNAL: "NL-013",
  UNAVAILABLE: "NL-014",
  UNAUTHENTICATED: "NL-016",
};

export interface ErrorDetails {
  /** The next step for the reader, as a sentence or a command. Printed on its own line. */
  readonly hint?: string | undefined;
  /** Default: the topic of a cause with the same code, otherwise that of the code. */
  readonly topic?: Topic;
  /**
   * The reason as data, for decisions and for readers on other hosts. Default: that of the cause, even if its code
   * differs: a new code tells another caller what the failure means, and the reason stays the same.
   */
  readonly reason?: Reason | undefined;
  /**
   * The end of a wire where the reason lies, as this host sees it; it is not sent. Another endpoint cannot fix an
   * error at the client's end. Default: that of the cause.
   */
  readonly side?: "client" | "endpoint" | undefined;
  readonly cause?: unknown;
}

/**
 * Every operating error of Netloom. The message says what was attempted, on what, and why it failed, in lower case;
 * `hint` says what to do. A programmer's error is not a NetloomError: it asserts.
 */
export class NetloomError extends Error {
  override readonly name: string = "NetloomError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;
  readonly topic: Topic;
  readonly reason: Reason | undefined;
  readonly side: "client" | "endpoint" | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    const cause = details.cause instanceof NetloomError ? details.cause : undefined;
    this.code = code;
    this.hint = details.hint;
    this.reason = details.reason ?? cause?.reason;
    this.side = details.side ?? cause?.side;
    this.topic = details.topic ?? (cause?.code === code ? cause.topic : TOPICS[code]);
  }
}

/** Returns whether it is an operating error with one of these codes. */
export function hasCode(error: unknown, ...codes: readonly ErrorCode[]): error is NetloomError {
  return error instanceof NetloomError && codes.includes(error.code);
}

/** The fields of an operating error's reason, if its name is `name`. */
export function reasonOf<N extends ReasonName>(error: unknown, name: N): ReasonFields<N> | undefined {
  return error instanceof NetloomError ? readReason(error.reason, name) : undefined;
}

/** Codes of failures on the path, where no station has refused the request. */
const ON_THE_WAY: readonly ErrorCode[] = ["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"];

/**
 * Picks the failure to return when all alternatives have failed: a refusal before a failure on the path, a failure with
 * a reason before one without, and the last of equal ones. `undefined` for an empty list.
 */
export function mostTelling(failures: readonly NetloomError[]): NetloomError | undefined {
  const refusals = failures.filter((error) => !hasCode(error, ...ON_THE_WAY));
  const pool = refusals.length > 0 ? refusals : failures;
  return pool.findLast(({ reason }) => reason !== undefined) ?? pool.at(-1);
}

/** The failure of all alternatives, with the code and the hint of the most telling one. DEADLINE_EXCEEDED if none was tried. */
export function allFailed(message: string, failures: readonly NetloomError[]): NetloomError {
  const cause = mostTelling(failures);
  return new NetloomError(cause?.code ?? "DEADLINE_EXCEEDED", message, { cause, hint: cause?.hint });
}

/** The same error, with its reason at this end of a wire. */
export function onSide(error: NetloomError, side: "client" | "endpoint"): NetloomError {
  return new NetloomError(error.code, error.message, { cause: error, hint: error.hint, side });
}

/**
 * Converts to an operating error: an unexpected error becomes INTERNAL, with itself as the cause. `what` is the
 * attempted action.
 */
export function operatingError(what: string, error: unknown): NetloomError {
  if (error instanceof NetloomError) return error;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new NetloomError("INTERNAL", `${what}: ${reason}`, {
    cause: error,
    hint: "this is a fault of netloom: please report it with the agent's log; a change of the document starts it again",
  });
}
