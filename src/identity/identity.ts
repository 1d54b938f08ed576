/** The interface between the roles of a process and its identity kind: one object, which every role gets. */
import type { Authorize } from "../policy/authorize.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Metadata } from "../world/hops.ts";
import type { Peer } from "../world/peer.ts";

/** A token of a path segment: proves the segment until it expires. */
export interface Token {
  /** Empty in plaintext. */
  readonly text: string;
  /** On `Clock.wallMs`. */
  readonly expiresAtMs: number;
}

/** The identity of this process, the peers that it trusts, and the calls that it allows. */
export interface Identity {
  /** The identity as `status` shows it: `plaintext`. */
  readonly summary: string;
  /** The credentials of this process's listeners and dials. */
  readonly credentials: Credentials;
  /**
   * A token of this process for `audience`; no other peer should accept it. Called often: a token is reused while it is valid.
   */
  token(audience: Peer): Token;
  /** The caller's token, as it came beside the message. `undefined` if none did; INVALID_ARGUMENT if it is unreadable. */
  tokenOf(metadata: Metadata): Token | undefined;
  /** Makes the metadata beside a message to `audience`, once the connection to it exists. Absent: no metadata is needed. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** Decides on all calls from outside. */
  readonly authorize: Authorize;
}
