/** The seam between the chains and whoever knows who is who: tokens and rules on one side, nothing but plaintext on the other. */
import { fromJson } from "@bufbuild/protobuf";
import { timestampMs, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { NetloomError } from "../errors/errors.ts";
import type { Clock } from "../async/clock.ts";
import type { Metadata } from "../world/hops.ts";
import type { Authorize } from "../policy/authorize.ts";
import { authorizeBy, RULES } from "../policy/rules.ts";
import type { Peer } from "../world/peer.ts";

/** What upstream's programs send beside each message. Upstream: sdk/pkg/tools/token/context.go at 9ac672c */
const TOKEN = "nsm-client-token";
const EXPIRES = "nsm-client-token-expires";

/** A promise about a segment of a path: it is what it says, until then. */
export interface Token {
  /** Empty in plaintext. */
  readonly text: string;
  /** On `Clock.wallMs`. */
  readonly expiresAtMs: number;
}

/** Who this process is to others, and what it lets others do. */
export interface Identity {
  /** A token of this process for `peer`; without `peer` for whoever is next. */
  token(peer?: Peer): Token;
  /** The caller's token, as it came beside the message. `undefined` if none did; INVALID_ARGUMENT if it is unreadable. */
  tokenOf(metadata: Metadata): Token | undefined;
  /** What has to go beside a message to the next station. */
  outgoing(): Metadata;
  /** Decides on everything that comes from outside. */
  readonly authorize: Authorize;
}

const DEFAULT_TOKEN_LIFETIME_MS = 600_000;

/**
 * No tokens of its own, and no rules: what this process says lasts for `lifetimeMs`. Callers are believed what they
 * say of themselves, their lifetime included. For `insecure: true` only.
 */
export function insecureIdentity(clock: Clock, lifetimeMs: number = DEFAULT_TOKEN_LIFETIME_MS): Identity {
  return {
    token: () => ({ text: "", expiresAtMs: clock.wallMs() + lifetimeMs }),
    tokenOf: readToken,
    outgoing: () => ({}),
    authorize: authorizeBy(RULES),
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
      `read ${EXPIRES} beside a message: ${JSON.stringify(text.slice(0, 64))} is no time as RFC 3339 writes it`,
      { cause: error, hint: "write 2006-01-02T15:04:05.999999999Z" },
    );
  }
}
