import { plainPeer, type Peer } from "./peer.ts";

/** A peer of a test by its text, as of `principalText`: `tcp:10.0.0.1`, `unix:1000`, `unix`. */
export function peerNamed(text: string, connection: string = text): Peer {
  const rest = text.slice(text.indexOf(":") + 1);
  if (text.startsWith("tcp:")) return plainPeer({ kind: "address", address: rest }, connection);
  const uid = text.includes(":") ? Number(rest) : NaN;
  const credentials = Number.isInteger(uid) ? { credentials: { uid, gid: uid, pid: 4_000 + uid } } : {};
  return plainPeer({ kind: "unix", ...credentials }, connection);
}
