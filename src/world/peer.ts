/** The other end of a transport connection. */

/** Credentials of a process at the moment it connected to a unix socket. unix(7), SO_PEERCRED. */
export interface UnixCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** The origin of a connection. */
export type Origin =
  /** Another role of this process. */
  | { readonly kind: "self" }
  /** A process of this host, by a unix socket. Without credentials if the kernel was not asked. */
  | { readonly kind: "unix"; readonly credentials?: UnixCredentials }
  /** An IP address. */
  | { readonly kind: "address"; readonly address: string };

/** An identity, and the owner of resources: the identity proven in the handshake, otherwise the origin. */
export type Principal =
  | { readonly kind: "spiffe"; readonly id: string }
  | { readonly kind: "address"; readonly address: string }
  /** A user of this host; without `uid` any process that uses the socket. */
  | { readonly kind: "unix"; readonly uid?: number }
  | { readonly kind: "self" };

/** One end of a connection, known when the handshake is over. */
export interface Peer {
  readonly principal: Principal;
  readonly origin: Origin;
  /** An id of the transport connection, unique in this process. */
  readonly connection: string;
  /** The proven key of the peer: SubjectPublicKeyInfo, DER. Absent if nothing was proven. */
  readonly publicKey?: Uint8Array;
}

/** The peer of every call between roles of one process. */
export const SELF: Readonly<Peer> = {
  principal: { kind: "self" },
  origin: { kind: "self" },
  connection: "self",
};

/** A peer without a proof, identified by its origin. */
export function plainPeer(origin: Origin, connection: string): Peer {
  return { principal: principalAt(origin), origin, connection };
}

/** The principal of a peer without a proof. A process counts as its user, because its process ID changes with a restart. */
export function principalAt(origin: Origin): Principal {
  if (origin.kind !== "unix") return origin;
  return origin.credentials ? { kind: "unix", uid: origin.credentials.uid } : { kind: "unix" };
}

/** Is the peer on this host? */
export function isLocal({ origin }: Peer): boolean {
  return origin.kind !== "address";
}

/**
 * The text of a principal for display, logs and map keys: `spiffe://mesh/agent`, `tcp:10.0.0.1`, `unix:1000` (the user),
 * `unix` (any user of the socket), `self`. Equal principals have equal texts.
 */
export function principalText(principal: Principal): string {
  switch (principal.kind) {
    case "spiffe":
      return principal.id;
    case "address":
      return `tcp:${principal.address}`;
    case "unix":
      return principal.uid === undefined ? "unix" : `unix:${principal.uid}`;
    case "self":
    default:
      return "self";
  }
}

/** Do both principals own the same things? A unix principal without a user ID matches any user. */
export function isSamePrincipal(a: Principal, b: Principal): boolean {
  if (a.kind === "unix" && b.kind === "unix" && (a.uid === undefined || b.uid === undefined)) return true;
  return principalText(a) === principalText(b);
}

/**
 * The key that limits are counted by: all connections of a peer share its limits. Peers on a unix socket without a proof
 * cannot be told apart, so each of their connections counts alone.
 */
export function peerKey({ principal, connection }: Peer): string {
  return principal.kind === "unix" || principal.kind === "self" ? connection : principalText(principal);
}
