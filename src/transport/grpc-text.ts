/**
 * Reads texts of grpc-js, the one source of two facts (as of 1.14): a reset stream has the same codes as an error that the peer
 * gives, and the errno of a connection that could not be made is in the details only.
 */
import type { ServiceError } from "@grpc/grpc-js";

type Details = Pick<ServiceError, "details">;

/** Whether HTTP/2 has ended the stream, without a status of gRPC. grpc-js: src/subchannel-call.ts */
export function isReset({ details }: Details): boolean {
  return /^(Call cancelled|Received RST_STREAM with code \d|Stream refused by server)/.test(details);
}

/**
 * The reason for a missing connection: `words` for people, `why` as data, which is a symbolic errno, or the last part of the details;
 * empty if grpc-js gives none. grpc-js: src/load-balancer-pick-first.ts
 */
export function whyUnreachable({ details }: Details): { readonly words: string; readonly why: string } {
  const errno = /\b(?:connect )?(E[A-Z]{3,})\b/.exec(details)?.[1];
  if (errno !== undefined) return { words: errno, why: errno };
  const words = details === "" ? "no reason given" : details;
  return { words, why: words.split(": ").at(-1)?.trim() ?? "" };
}
