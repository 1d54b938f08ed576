/**
 * One netlink socket that hears what happens in the host's namespace and in every namespace that has a number there
 * (NETLINK_LISTEN_ALL_NSID), and that hears of the end of those without keeping them alive.
 */
import { isServedBy, KernelError, type WatchPurpose } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { type NetlinkMessage, messages } from "../netlink/message-reader.ts";
import { notificationFilter } from "./notification-filter.ts";
import { attachFilter, close, setSocketOption, SO_RCVBUFFORCE, SOL_SOCKET } from "../libc/syscall.ts";
import { MessageReceiver } from "../libc/message-receiver.ts";

/** Room for the notifications of some thousand changes in a row; the kernel counts twice of it. */
const BUFFER_BYTES = 4 * 2 ** 20;
const LINK_GROUPS = [k.RTNLGRP_LINK, k.RTNLGRP_IPV4_IFADDR, k.RTNLGRP_IPV6_IFADDR];
export const ROUTE_GROUPS = [
  k.RTNLGRP_IPV4_ROUTE,
  k.RTNLGRP_IPV6_ROUTE,
  k.RTNLGRP_IPV4_RULE,
  k.RTNLGRP_IPV6_RULE,
] as const;

export interface Notification {
  /** Number of the namespace it is about; absent: the socket's own. */
  readonly nsid?: number;
  /** Valid until the next one is read. */
  readonly message: NetlinkMessage;
}

export class Notifications {
  readonly fd: number;
  readonly #receiver = new MessageReceiver(65536);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Opens the socket in the current namespace. At first it hears of the end of namespaces only; of routes and neighbours it hears
   * what may have to do with `protocol`.
   */
  static open(protocol: number): Notifications {
    const fd = openBound();
    try {
      attachFilter(fd, notificationFilter(protocol));
      setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_LISTEN_ALL_NSID, 1);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_ADD_MEMBERSHIP, k.RTNLGRP_NSID);
    } catch (error) {
      close(fd);
      throw error;
    }
    return new Notifications(fd);
  }

  /** What else is heard of. */
  listen(purpose: WatchPurpose | undefined): void {
    join(this.fd, LINK_GROUPS, isServedBy("links", purpose));
    join(this.fd, [...ROUTE_GROUPS, k.RTNLGRP_NEIGH, k.RTNLGRP_TC], isServedBy("everything", purpose));
  }

  /** Reads until there is no more. `lost` is called where the kernel had to drop some (ENOBUFS). */
  drain(each: (notification: Notification) => void, lost: () => void): void {
    for (;;) {
      try {
        const data = this.#receiver.receive(this.fd);
        if (!data) return;
        const about = this.#receiver.control(k.SOL_NETLINK, k.NETLINK_LISTEN_ALL_NSID);
        const nsid = about ? { nsid: about.getInt32(0, true) } : {};
        for (const message of messages(data)) each({ ...nsid, message });
      } catch (error) {
        if (!(error instanceof KernelError && error.errno === "ENOBUFS")) throw error;
        lost();
      }
    }
  }

  close(): void {
    close(this.fd);
  }
}
