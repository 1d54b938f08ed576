/** Trusts the tokens that callers send beside their messages, and sends none. */
import { fromJson } from "@bufbuild/protobuf";
import { timestampMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { NetloomError } from "../../errors/errors.ts";
import type { Metadata } from "../../world/hops.ts";
import type { Token } from "../identity.ts";
import type { IdentityOptions, OpenedIdentity } from "../identity-kind.ts";
import { insecureCredentials } from "./insecure-kind.ts";

/** Metadata of upstream's programs beside each message. Upstream: sdk/pkg/tools/token/context.go at 9ac672c */
const TOKEN = "nsm-client-token";
const EXPIRES = "nsm-client-token-expires";

const DEFAULT_LIFETIME_MS = 600_000;

/**
 * No tokens and no rules of its own: claims of this process last for `lifetimeMs`, those of a caller until the time that it
 * sends.
 */
export function insecure({
  world: { clock },
  lifetimeMs = DEFAULT_LIFETIME_MS,
}: IdentityOptions): OpenedIdentity {
  return {
    summary: "plaintext",
    credentials: insecureCredentials,
    token: () => ({ text: "", expiresAtMs: clock.wallMs() + lifetimeMs }),
    tokenOf: readToken,
    rules: [],
  };
}

function readToken(metadata: Metadata): Token | undefined {
  const expires = metadata[EXPIRES];
  if (expires === undefined) return undefined;
  return { text: metadata[TOKEN] ?? "", expiresAtMs: readTime(expires) };
}

function readTime(text: string): number {
  try {
    return timestampMs(fromJson(TimestampSchema, text));
  } catch (error) {
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `read ${EXPIRES} beside a message: ${JSON.stringify(text.slice(0, 64))} is not a time as RFC 3339 writes it`,
      { cause: error, hint: "write 2006-01-02T15:04:05.999999999Z" },
    );
  }
}
