/**
 * Reads texts of grpc-js, the only source of two facts (as of 1.14): a reset stream has the same codes as an error from
 * the peer, and the errno of a failed connection is only in the details.
 */
import type { ServiceError } from "@grpc/grpc-js";

type Details = Pick<ServiceError, "details">;

/** Returns whether HTTP/2 ended the stream without a gRPC status. grpc-js: src/subchannel-call.ts */
export function isReset({ details }: Details): boolean {
  return /^(Call cancelled|Received RST_STREAM with code \d|Stream refused by server)/.test(details);
}

/**
 * The reason for a missing connection: `words` for people, `why` as data, which is a symbolic errno, or the last part of the details;
 * empty if grpc-js gives none. grpc-js: src/load-balancer-pick-first.ts
 */
export function whyUnreachable({ details }: Details): { readonly words: string; readonly why: string } {
  const errno = /\b(E[A-Z]{3,})\b/.exec(details)?.[1];
  if (errno !== undefined) return { words: errno, why: errno };
  return { words: details || "no reason given", why: details.split(": ").at(-1)?.trim() ?? "" };
}
