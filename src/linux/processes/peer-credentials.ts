import type { UnixCredentials } from "../../world/peer.ts";
import { socketOption, SOL_SOCKET } from "../libc/syscall.ts";

/** include/uapi/asm-generic/socket.h */
const SO_PEERCRED = 17;

/** `struct ucred` of include/linux/socket.h: pid, uid, gid, 32 bits each. */
const UCRED_BYTES = 12;

/**
 * The process at the other end of the unix socket `fd`, as it was when it connected. unix(7), SO_PEERCRED. The numbers of a
 * process in another PID or user namespace are translated; one without a number here has pid 0 or the overflow user.
 */
export function peerCredentials(fd: number): UnixCredentials {
  const value = socketOption(fd, { level: SOL_SOCKET, name: SO_PEERCRED, size: UCRED_BYTES });
  const [pid = 0, uid = 0, gid = 0] = new Uint32Array(value.buffer);
  return { uid, gid, pid };
}
