/** Netlink sockets for notifications. */
import { bindSocket, close, setSocketOption, SOCK_NONBLOCK, SOCK_RAW, socket } from "../libc/syscall.ts";
import * as k from "./constants.ts";

/**
 * A bound socket in the current namespace, which may join groups. An unbound one has the kernel's address, and gets no
 * notifications.
 */
export function openBound(protocol: number = k.NETLINK_ROUTE): number {
  const fd = socket(k.AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, protocol);
  const address = new Uint8Array(12);
  address[0] = k.AF_NETLINK;
  try {
    bindSocket(fd, address);
  } catch (error) {
    close(fd);
    throw error;
  }
  return fd;
}

/** Joins or leaves groups of notifications. */
export function join(fd: number, groups: readonly number[], isIn: boolean): void {
  const option = isIn ? k.NETLINK_ADD_MEMBERSHIP : k.NETLINK_DROP_MEMBERSHIP;
  for (const group of groups) setSocketOption(fd, k.SOL_NETLINK, option, group);
}
