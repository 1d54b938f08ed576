/** Who is at the other end of a transport connection. */

/** What the kernel says of a process that has connected to a unix socket, as it was at that moment. unix(7), SO_PEERCRED. */
export interface UnixCredentials {
  readonly uid: number;
  readonly gid: number;
  readonly pid: number;
}

/** The way that a connection has come. */
export type Origin =
  /** From a role of this process. */
  | { readonly kind: "self" }
  /** By a unix socket, from a process of this host. Without credentials where nobody has asked the kernel. */
  | { readonly kind: "unix"; readonly credentials?: UnixCredentials }
  /** From an IP address. */
  | { readonly kind: "address"; readonly address: string };

/** Who somebody is, and what ownership is bound to: what the handshake has proven, else what the origin tells. */
export type Principal =
  | { readonly kind: "spiffe"; readonly id: string }
  | { readonly kind: "address"; readonly address: string }
  /** A user of this host; without `uid` whoever comes by the socket. */
  | { readonly kind: "unix"; readonly uid?: number }
  | { readonly kind: "self" };

/** One end of a connection, known when the handshake is over. */
export interface Peer {
  readonly principal: Principal;
  readonly origin: Origin;
  /** The transport connection, unique in this process. */
  readonly connection: string;
  /** The key that it has shown to be its own: SubjectPublicKeyInfo, DER. Absent where nothing was proven. */
  readonly publicKey?: Uint8Array;
}

/** Peer of every call between roles of one process. */
export const SELF: Readonly<Peer> = {
  principal: { kind: "self" },
  origin: { kind: "self" },
  connection: "self",
};

/** A peer that has proven nothing: it is where it comes from. */
export function plainPeer(origin: Origin, connection: string): Peer {
  return { principal: principalAt(origin), origin, connection };
}

/** Who somebody is that has proven nothing. A process is its user: after a restart it is another process. */
export function principalAt(origin: Origin): Principal {
  if (origin.kind !== "unix") return origin;
  return origin.credentials ? { kind: "unix", uid: origin.credentials.uid } : { kind: "unix" };
}

/** Does the peer share this host, whoever it is? */
export function isLocal({ origin }: Peer): boolean {
  return origin.kind !== "address";
}

/**
 * A principal as people, logs and keys of maps have it: `spiffe://mesh/agent`, `tcp:10.0.0.1`, `unix:1000` (the user),
 * `unix` (whoever comes by the socket), `self`. Two that are the same have the same text.
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

/**
 * Are they one and the same, so that what belongs to one belongs to the other? Where of two users one is not known, both are
 * whoever comes by the socket.
 */
export function isSamePrincipal(a: Principal, b: Principal): boolean {
  if (a.kind === "unix" && b.kind === "unix" && (a.uid === undefined || b.uid === undefined)) return true;
  return principalText(a) === principalText(b);
}

/**
 * Whom a limit is counted for: all connections of a peer share its limits. Who comes by a unix socket and has proven nothing
 * cannot be told from the others there: each connection is a peer.
 */
export function peerKey({ principal, connection }: Peer): string {
  return principal.kind === "unix" || principal.kind === "self" ? connection : principalText(principal);
}
