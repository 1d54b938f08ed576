/**
 * Whether a namespace has IPsec policies, and when that changes. A packet that a program redirects passes by them: it would leave
 * in clear what is to be encrypted, and come in where only encrypted packets may.
 * Source: include/uapi/linux/xfrm.h
 */
import { KernelError } from "../../kernel/kernel.ts";
import {
  bindSocket,
  close,
  receive,
  send,
  setSocketOption,
  SOCK_NONBLOCK,
  SOCK_RAW,
  socket,
} from "../libc/syscall.ts";
import * as k from "../netlink/constants.ts";
import { messages } from "../netlink/message-reader.ts";
import { dump } from "../netlink/message-writer.ts";

/** Of `struct xfrm_userpolicy_info`: `sel` 56, `lft` 64, `curlft` 32 bytes, priority, index, direction. */
const DIRECTION_AT = 160;
/** Directions above are those of single sockets. */
const LAST_DIRECTION = 2;

const buffer = new Uint8Array(65536);

export class IpsecPolicies {
  readonly fd: number;

  private constructor(fd: number) {
    this.fd = fd;
  }

  /** Opens the socket in the current namespace; it is readable when a policy has come or gone. `undefined` where the kernel has no IPsec. */
  static open(): IpsecPolicies | undefined {
    let fd: number;
    try {
      fd = socket(k.AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, k.NETLINK_XFRM);
    } catch (error) {
      if (error instanceof KernelError) return undefined;
      throw error;
    }
    try {
      const address = new Uint8Array(12);
      address[0] = k.AF_NETLINK;
      bindSocket(fd, address);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_NO_ENOBUFS, 1);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_ADD_MEMBERSHIP, k.XFRMNLGRP_POLICY);
    } catch (error) {
      close(fd);
      throw error;
    }
    return new IpsecPolicies(fd);
  }

  /** Asks the kernel, and takes all notifications that are there. */
  hasAny(): boolean {
    while (receive(this.fd, buffer));
    send(this.fd, dump(k.XFRM_MSG_GETPOLICY).finish());
    let hasAny = false;
    // The kernel has the answer ready, piece by piece.
    for (let piece = receive(this.fd, buffer); piece; piece = receive(this.fd, buffer))
      for (const { type, body } of messages(piece)) {
        const direction = body[DIRECTION_AT] ?? LAST_DIRECTION + 1;
        if (type === k.XFRM_MSG_NEWPOLICY && direction <= LAST_DIRECTION) hasAny = true;
        if (type === k.NLMSG_DONE || type === k.NLMSG_ERROR) return hasAny;
      }
    return hasAny;
  }

  close(): void {
    close(this.fd);
  }
}
