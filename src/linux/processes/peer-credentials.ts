import type { UnixCredentials } from "../../world/peer.ts";
import { socketOption, SOL_SOCKET } from "../libc/syscall.ts";

/** include/uapi/asm-generic/socket.h */
const SO_PEERCRED = 17;

/** `struct ucred` of include/linux/socket.h: pid, uid, gid, 32 bits each. */
const UCRED_BYTES = 12;

/**
 * The process that has connected to the unix socket of which `fd` is this end, as it was at that moment. unix(7), SO_PEERCRED.
 * A process of another namespace has the numbers of this one's; one that has none here has pid 0 and the overflow user.
 */
export function peerCredentials(fd: number): UnixCredentials {
  const value = socketOption(fd, { level: SOL_SOCKET, name: SO_PEERCRED, size: UCRED_BYTES });
  const [pid = 0, uid = 0, gid = 0] = new Uint32Array(value.buffer);
  return { uid, gid, pid };
}
