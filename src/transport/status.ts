/** Errors over gRPC: the code as the status, the message as its details, the rest as a trailer. */
import { status, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { NetloomError, type ErrorCode } from "../errors/errors.ts";
import { reason } from "../errors/reasons.ts";
import { isReset, whyUnreachable } from "./grpc-text.ts";
import { readDetails, shorten, writeDetails } from "./status-details.ts";

/** The nearest code for gRPC codes that Netloom does not have. */
const NEAREST: ReadonlyMap<number, ErrorCode> = new Map([
  [status.UNKNOWN, "INTERNAL"],
  [status.OUT_OF_RANGE, "INVALID_ARGUMENT"],
  [status.DATA_LOSS, "INTERNAL"],
]);

/** The status for the caller. A programmer's error is sent without details. */
export function toStatus(error: unknown): Partial<StatusObject> {
  const told =
    error instanceof NetloomError
      ? error
      : new NetloomError("INTERNAL", "internal error: see the log of the other side");
  return { code: status[told.code], details: shorten(told.message), metadata: writeDetails(told) };
}

/** A call that failed. */
export interface FailedCall {
  readonly url: string;
  /** The action and its object: `call /x at tcp://10.0.0.1:5001`. */
  readonly attempt: string;
}

/** The error of a failed call. A stranger's error gets the attempt in front of its text. */
export function fromStatus(error: ServiceError, { url, attempt }: FailedCall): NetloomError {
  const code = NEAREST.get(error.code) ?? (status[error.code] as ErrorCode | undefined) ?? "INTERNAL";
  const told = error.metadata && readDetails(error.metadata);
  if (told) return new NetloomError(code, error.details, { cause: error, ...told });
  if (isUnreachable(error)) {
    const { words, why } = whyUnreachable(error);
    return unreachable({ url, attempt }, { words: `nobody answers there: ${words}`, why, cause: error });
  }
  if (error.code === status.DEADLINE_EXCEEDED)
    return new NetloomError(code, `${attempt}: no answer in time`, { cause: error });
  const details = error.details === "" ? "no reason given" : error.details;
  return new NetloomError(code, `${attempt}: ${details}`, { cause: error });
}

/** The error of a call to a peer that does not answer. `words` complete the attempt; `why` is the reason as data. */
export function unreachable(
  { url, attempt }: FailedCall,
  { words, why = words, cause }: { readonly words: string; readonly why?: string; readonly cause: unknown },
): NetloomError {
  return new NetloomError("UNAVAILABLE", `${attempt}: ${words}`, {
    cause,
    topic: "NL-701",
    reason: reason("PEER_UNREACHABLE", { url, why }),
    hint: "check that it runs, and that its address is the one given here",
  });
}

/**
 * Returns whether there is no connection, or it broke. That includes a stream reset by a peer that is shutting down.
 */
function isUnreachable(error: ServiceError): boolean {
  if (error.code === status.UNAVAILABLE) return true;
  return (error.code === status.CANCELLED || error.code === status.INTERNAL) && isReset(error);
}
