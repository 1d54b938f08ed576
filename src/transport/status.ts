/** Errors on their way through gRPC: the code as the status, the message as its details, the hint in a trailer. */
import { Metadata, status, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { NetloomError, type ErrorCode } from "../world/errors.ts";

/** Binary, because a hint may hold any character. */
const HINT = "netloom-hint-bin";

/** What the caller is told. Of a programmer's error it learns nothing but that there was one. */
export function toStatus(error: unknown): Partial<StatusObject> {
  if (!(error instanceof NetloomError))
    return { code: status.INTERNAL, details: "internal error: see the log of the other side" };
  const metadata = new Metadata();
  if (error.hint !== undefined) metadata.set(HINT, Buffer.from(error.hint));
  return { code: status[error.code], details: error.message, metadata };
}

/** What a call has come to, as an error of ours. */
export function fromStatus(error: ServiceError, attempt: string): NetloomError {
  const hint = error.metadata?.get(HINT)[0];
  const isLocal = error.metadata === undefined || hint === undefined;
  const details = error.details === "" ? "no reason given" : error.details;
  const known: Partial<Record<number, ErrorCode>> = {
    [status.UNKNOWN]: "INTERNAL",
    [status.OUT_OF_RANGE]: "INVALID_ARGUMENT",
    [status.DATA_LOSS]: "INTERNAL",
  };
  const code = known[error.code] ?? (status[error.code] as ErrorCode);
  if (error.code === status.UNAVAILABLE && isLocal) {
    return new NetloomError(code, `${attempt}: nobody answers there (${details})`, {
      cause: error,
      hint: "check that it runs, and that its address is the one given here",
    });
  }
  if (error.code === status.DEADLINE_EXCEEDED)
    return new NetloomError(code, `${attempt}: no answer in time`, { cause: error });
  return new NetloomError(code, details, {
    cause: error,
    ...(hint !== undefined && { hint: hint.toString() }),
  });
}
