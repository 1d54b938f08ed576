/**
 * The texts of grpc-js that are read, because it says these things in no other way (as of 1.14): that a stream was reset, which
 * has the same codes as an error that the peer gives, and the errno of a connection that could not be made.
 */
import type { ServiceError } from "@grpc/grpc-js";

type Details = Pick<ServiceError, "details">;

/** Has HTTP/2 ended the stream, and no status of gRPC? grpc-js: src/subchannel-call.ts */
export function isReset({ details }: Details): boolean {
  return /^(Call cancelled|Received RST_STREAM with code \d|Stream refused by server)/.test(details);
}

/**
 * Why there is no connection: for people, and as data, a symbolic errno or the last thing that grpc-js says; empty where it says
 * nothing. grpc-js: src/load-balancer-pick-first.ts
 */
export function whyUnreachable({ details }: Details): { readonly words: string; readonly why: string } {
  const errno = /\b(?:connect )?(E[A-Z]{3,})\b/.exec(details)?.[1];
  if (errno !== undefined) return { words: errno, why: errno };
  const words = details === "" ? "no reason given" : details;
  return { words, why: words.split(": ").at(-1)?.trim() ?? "" };
}
