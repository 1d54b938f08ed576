/** The seam between the roles of a process and whoever knows who is who. One object, which every role takes. */
import type { Authorize } from "../policy/authorize.ts";
import type { Credentials } from "../world/credentials.ts";
import type { Metadata } from "../world/hops.ts";
import type { Peer } from "../world/peer.ts";

/** A promise about a segment of a path: it is what it says, until then. */
export interface Token {
  /** Empty in plaintext. */
  readonly text: string;
  /** On `Clock.wallMs`. */
  readonly expiresAtMs: number;
}

/** Who this process is to others, whom it believes, and what it lets others do. */
export interface Identity {
  /** What `status` says of it: `plaintext`. */
  readonly summary: string;
  /** What listeners and dials of this process prove themselves with. */
  readonly credentials: Credentials;
  /** A token of this process for `audience`, which nobody else should take. Asked for often: what is good for a while is kept. */
  token(audience: Peer): Token;
  /** The caller's token, as it came beside the message. `undefined` if none did; INVALID_ARGUMENT if it is unreadable. */
  tokenOf(metadata: Metadata): Token | undefined;
  /** What has to go beside a message to `audience`, made when the connection to it is there. Absent: nothing has to. */
  readonly vouch?: ((audience: Peer) => Metadata) | undefined;
  /** Decides on everything that comes from outside. */
  readonly authorize: Authorize;
}
