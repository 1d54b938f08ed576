/**
 * A netlink socket for notifications of the host's namespace and of every namespace with a number there
 * (NETLINK_LISTEN_ALL_NSID). It reports the end of these namespaces without keeping them alive.
 */
import { isServedBy, KernelError, type WatchPurpose } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { type NetlinkMessage, messages } from "../netlink/message-reader.ts";
import { notificationFilter } from "./notification-filter.ts";
import { attachFilter, close, setSocketOption, SO_RCVBUFFORCE, SOL_SOCKET } from "../libc/syscall.ts";
import { MessageReceiver } from "../libc/message-receiver.ts";

/** Room for the notifications of some thousand consecutive changes. The kernel doubles the value. */
const BUFFER_BYTES = 4 * 2 ** 20;
const LINK_GROUPS = [k.RTNLGRP_LINK, k.RTNLGRP_IPV4_IFADDR, k.RTNLGRP_IPV6_IFADDR];
export const ROUTE_GROUPS = [
  k.RTNLGRP_IPV4_ROUTE,
  k.RTNLGRP_IPV6_ROUTE,
  k.RTNLGRP_IPV4_RULE,
  k.RTNLGRP_IPV6_RULE,
] as const;

export interface Notification {
  /** Number of the namespace; absent for the socket's own. */
  readonly nsid?: number;
  /** Valid until the next notification is read. */
  readonly message: NetlinkMessage;
}

export class Notifications {
  readonly fd: number;
  readonly #receiver = new MessageReceiver(65536);

  private constructor(fd: number) {
    this.fd = fd;
  }

  /**
   * Opens the socket in the current namespace. At first it gets only the end of namespaces. Of routes and neighbours it
   * gets only notifications that may concern `protocol`.
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

  /** Subscribes to further notifications. */
  listen(purpose: WatchPurpose | undefined): void {
    join(this.fd, LINK_GROUPS, isServedBy("links", purpose));
    join(this.fd, [...ROUTE_GROUPS, k.RTNLGRP_NEIGH, k.RTNLGRP_TC], isServedBy("everything", purpose));
  }

  /** Reads all queued notifications. Calls `lost` if the kernel had to drop some (ENOBUFS). */
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
