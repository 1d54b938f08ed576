/** The proofs that a process presents to the peer of a connection, and the check of the peer's proof. */
import type { Principal } from "./peer.ts";

/** A peer that has proven its identity. */
export interface Proven {
  readonly principal: Principal;
  /** The peer's proven key: SubjectPublicKeyInfo, DER. `Keys.verify` takes it. */
  readonly publicKey: Uint8Array;
}

/**
 * Certificates for both ends of a connection: mutual TLS, and the handshake of the simulated network. Plain data, except
 * for `prove`.
 */
export interface CertificateProof {
  readonly kind: "certificate";
  /** DER certificates: the leaf first, without the authority's. */
  readonly chain: readonly Uint8Array[];
  /** Private key of the leaf: PKCS #8, DER. Used in handshakes only. */
  readonly key: Uint8Array;
  /** DER certificates of the authorities. The peer's chain must lead to one of them. */
  readonly authorities: readonly Uint8Array[];
  /**
   * Identifies the peer that has presented this chain, at wall time `atMs`. In a real handshake TLS has already verified
   * the chain, which may end with the authority. The final decision on a peer: UNAUTHENTICATED, with the reason, if it is
   * not accepted. Pure, without access to the World.
   */
  prove(chain: readonly Uint8Array[], atMs: number): Proven;
}

/** The proof in force at this moment. Immutable: a new one replaces it. */
export type Proof =
  /** No proof: messages are in plaintext, and a peer is identified by its origin. */
  { readonly kind: "none" } | CertificateProof;

/**
 * A source of proofs, which may change at any time. Each connection uses the proof that is current when it begins, to its
 * end. Listeners and dials take a source; a change never breaks a connection or call under way.
 */
export interface Credentials {
  /** The name of its kind of identity. */
  readonly name: string;
  /** The end of a listener's log line: `listening on tcp://10.0.0.1:5001 in plaintext`. */
  readonly announcement: string;
  /** The current proof: the same object until it is replaced. Throws UNAVAILABLE, with the reason, while there is none. */
  current(): Proof;
}
