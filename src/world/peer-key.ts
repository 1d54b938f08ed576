/** Whom a limit is counted for. */
import type { Peer } from "./hops.ts";

/**
 * The key of a peer: all its connections share its limits. Today an address; the identity, once the transport proves one.
 * Whoever comes by a unix socket cannot be told from the others there: each connection is a peer.
 */
export function peerKey(peer: Peer): string {
  return peer.isLocal ? peer.connection : peer.id;
}
