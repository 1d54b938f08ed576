/** The seam between the chains and whoever knows who is who: tokens and rules on one side, nothing but plaintext on the other. */
import type { Path } from "../api/gen/nsm/connection_pb.js";
import type { Clock, Metadata, Peer } from "../world/world.ts";

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
  /** The caller's token, as it came beside the message. `undefined` if none did. */
  tokenOf(metadata: Metadata): Token | undefined;
  /** What has to go beside a message to the next station. */
  outgoing(): Metadata;
  /**
   * May `peer` ask for what it asks for? `path` is the way up to this process's own segment.
   * PERMISSION_DENIED or UNAUTHENTICATED with the reason.
   */
  authorize(path: Path, peer: Peer): void;
}

const DEFAULT_TOKEN_LIFETIME_MS = 600_000;

/** No tokens: everybody may, and what everybody says lasts for `lifetimeMs`. For `insecure: true` only. */
export function insecureIdentity(clock: Clock, lifetimeMs: number = DEFAULT_TOKEN_LIFETIME_MS): Identity {
  return {
    token: () => ({ text: "", expiresAtMs: clock.wallMs() + lifetimeMs }),
    tokenOf: () => undefined,
    outgoing: () => ({}),
    authorize: () => undefined,
  };
}
