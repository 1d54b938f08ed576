/** Errors on their way through gRPC: the code as the status, the message as its details, the hint in a trailer. */
import { Metadata, status, type ServiceError, type StatusObject } from "@grpc/grpc-js";
import { NetloomError, type ErrorCode, type Topic } from "../errors/errors.ts";

/** Present in every error of ours, empty without a hint. Binary, because a hint may hold any character. */
const HINT = "netloom-hint-bin";

/** Where the error is explained: `NL-303`. */
const TOPIC = "netloom-topic";

/** Trailers are headers of HTTP/2, and those have a limit of 16 KiB at some receivers. */
const MAX_TEXT_LENGTH = 2000;

/** gRPC's codes that are none of ours. */
const NEAREST: ReadonlyMap<number, ErrorCode> = new Map([
  [status.UNKNOWN, "INTERNAL"],
  [status.OUT_OF_RANGE, "INVALID_ARGUMENT"],
  [status.DATA_LOSS, "INTERNAL"],
]);

/** What the caller is told. Of a programmer's error it learns nothing but that there was one. */
export function toStatus(error: unknown): Partial<StatusObject> {
  const metadata = new Metadata();
  if (!(error instanceof NetloomError)) {
    metadata.set(HINT, Buffer.alloc(0));
    return { code: status.INTERNAL, details: "internal error: see the log of the other side", metadata };
  }
  metadata.set(HINT, Buffer.from(shorten(error.hint ?? "")));
  metadata.set(TOPIC, error.topic);
  return { code: status[error.code], details: shorten(error.message), metadata };
}

/** What a call has come to, as an error of ours. `attempt` says what was attempted, on what. */
export function fromStatus(error: ServiceError, attempt: string): NetloomError {
  const code = NEAREST.get(error.code) ?? (status[error.code] as ErrorCode | undefined) ?? "INTERNAL";
  const ours = error.metadata?.get(HINT)[0];
  if (ours !== undefined) {
    const hint = ours.toString();
    const topic = error.metadata.get(TOPIC).find(isTopic);
    return new NetloomError(code, error.details, {
      cause: error,
      ...(hint !== "" && { hint }),
      ...(topic !== undefined && { topic }),
    });
  }
  const details = error.details === "" ? "no reason given" : error.details;
  if (isUnreachable(error)) {
    return new NetloomError("UNAVAILABLE", `${attempt}: nobody answers there: ${shortReason(details)}`, {
      cause: error,
      topic: "NL-701",
      hint: "check that it runs, and that its address is the one given here",
    });
  }
  if (error.code === status.DEADLINE_EXCEEDED)
    return new NetloomError(code, `${attempt}: no answer in time`, { cause: error });
  return new NetloomError(code, `${attempt}: ${details}`, { cause: error });
}

function isTopic(text: unknown): text is Topic {
  return typeof text === "string" && /^NL-\d{3}$/.test(text);
}

/** No connection, or one that broke. A peer that resets a stream on its way down is one, too. */
function isUnreachable({ code, details }: ServiceError): boolean {
  if (code === status.UNAVAILABLE) return true;
  const isReset = /^(Call cancelled|Received RST_STREAM with code \d|Stream refused by server)/.test(details);
  return isReset && (code === status.CANCELLED || code === status.INTERNAL);
}

function shortReason(details: string): string {
  const system = /\b(?:connect )?(E[A-Z]{3,})\b/.exec(details)?.[1];
  return system ?? details;
}

/** Well-formed, because gRPC encodes the text as a URI. */
function shorten(text: string): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.length <= MAX_TEXT_LENGTH
    ? wellFormed
    : `${wellFormed.slice(0, MAX_TEXT_LENGTH)}…`.toWellFormed();
}
