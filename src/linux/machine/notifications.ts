/**
 * One netlink socket that hears what happens in the host's namespace and in every namespace that has a number there
 * (NETLINK_LISTEN_ALL_NSID), and that hears of the end of those without keeping them alive.
 */
import { KernelError } from "../../kernel/kernel.ts";
import * as k from "../netlink/constants.ts";
import { type NetlinkMessage, messages } from "../netlink/message-reader.ts";
import {
  bindSocket,
  close,
  MessageReceiver,
  setSocketOption,
  SO_RCVBUFFORCE,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
  SOL_SOCKET,
} from "../libc/syscall.ts";

/** `include/uapi/linux/netlink.h` */
const NETLINK_DROP_MEMBERSHIP = 2;
/** Room for the notifications of some thousand changes in a row; the kernel counts twice of it. */
const BUFFER_BYTES = 4 * 2 ** 20;
const GROUPS = [k.RTNLGRP_LINK, k.RTNLGRP_IPV4_IFADDR, k.RTNLGRP_IPV6_IFADDR];

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

  /** Opens the socket in the current namespace. At first it hears of the end of namespaces only. */
  static open(): Notifications {
    const fd = socket(k.AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, k.NETLINK_ROUTE);
    try {
      // Bound before it joins: an unbound socket has the kernel's own address, and hears nothing.
      const address = new Uint8Array(12);
      address[0] = k.AF_NETLINK;
      bindSocket(fd, address);
      setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_LISTEN_ALL_NSID, 1);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_ADD_MEMBERSHIP, k.RTNLGRP_NSID);
    } catch (error) {
      close(fd);
      throw error;
    }
    return new Notifications(fd);
  }

  /** Whether links and addresses are heard of, too. */
  listen(isOn: boolean): void {
    const option = isOn ? k.NETLINK_ADD_MEMBERSHIP : NETLINK_DROP_MEMBERSHIP;
    for (const group of GROUPS) setSocketOption(this.fd, k.SOL_NETLINK, option, group);
  }

  /** Reads until there is no more. `lost` is called where the kernel had to drop some (ENOBUFS). */
  drain(each: (notification: Notification) => void, lost: () => void): void {
    for (;;) {
      try {
        const received = this.#receiver.receive(this.fd, k.SOL_NETLINK, k.NETLINK_LISTEN_ALL_NSID);
        if (!received) return;
        const nsid = received.control === undefined ? {} : { nsid: received.control };
        for (const message of messages(received.data)) each({ ...nsid, message });
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
