/** What a process proves itself with to the other end of a connection, and how it finds out who that is. */
import type { Principal } from "./peer.ts";

/** Somebody who has proven who he is. */
export interface Proven {
  readonly principal: Principal;
  /** The key that was shown to be his: SubjectPublicKeyInfo, DER. `Keys.verify` takes it. */
  readonly publicKey: Uint8Array;
}

/** Certificates, for both ends of a connection: mutual TLS, and the simulated network's own handshake. Plain data but for `prove`. */
export interface CertificateProof {
  readonly kind: "certificate";
  /** DER; the own one first, the authority's not among them. */
  readonly chain: readonly Uint8Array[];
  /** Private key of the first one: PKCS #8, DER. It goes nowhere but into handshakes. */
  readonly key: Uint8Array;
  /** DER of the authorities, to one of which another's chain has to lead. */
  readonly authorities: readonly Uint8Array[];
  /**
   * Who has shown this chain, at this wall time. A real handshake has led it to an authority, which may be at its end. The last
   * word on a peer: UNAUTHENTICATED, with the reason, for one that is not believed. Pure, and calls nothing of the World.
   */
  prove(chain: readonly Uint8Array[], atMs: number): Proven;
}

/** What counts at this moment. Never changed, only replaced. */
export type Proof =
  /** Nothing is proven: messages are in the clear, and a peer is where it comes from. */
  { readonly kind: "none" } | CertificateProof;

/**
 * A source of proofs, which may change at any time: each connection is made with what is current when it begins, and goes on
 * with that to its end. Listeners and dials take one; what they have under way never fails because of a change.
 */
export interface Credentials {
  /** Of its kind of identity. */
  readonly name: string;
  /** How a listener with them says what it is: `listening on tcp://10.0.0.1:5001 in plaintext`. */
  readonly announcement: string;
  /** The same object until there is another one. UNAVAILABLE, with the reason, as long as there is none. */
  current(): Proof;
}
