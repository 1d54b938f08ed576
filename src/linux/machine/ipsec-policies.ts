/**
 * Whether a namespace has IPsec policies, and when that changes. A packet that a program redirects passes by them: it would leave
 * in clear what is to be encrypted, and come in where only encrypted packets may.
 * Source: include/uapi/linux/xfrm.h
 */
import { KernelError } from "../../kernel/kernel.ts";
import { close, receive, setSocketOption } from "../libc/syscall.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { readAttributes } from "../netlink/message-reader.ts";
import { MessageWriter } from "../netlink/message-writer.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";

/** `struct xfrmu_spdinfo`: how many policies there are in, out and forward; those of single sockets come behind. */
const COUNTS_AT = [0, 4, 8] as const;

const buffer = new Uint8Array(65536);

export class IpsecPolicies {
  /** Readable when a policy has come or gone. */
  readonly fd: number;
  readonly #kernel: NetlinkSocket;

  private constructor(fd: number, kernel: NetlinkSocket) {
    this.fd = fd;
    this.#kernel = kernel;
  }

  /** Of the current namespace. `undefined` where the kernel has no IPsec. */
  static open(): IpsecPolicies | undefined {
    let fd: number | undefined;
    try {
      fd = openBound(k.NETLINK_XFRM);
      setSocketOption(fd, k.SOL_NETLINK, k.NETLINK_NO_ENOBUFS, 1);
      join(fd, [k.XFRMNLGRP_POLICY], true);
      return new IpsecPolicies(fd, NetlinkSocket.open(k.NETLINK_XFRM));
    } catch (error) {
      if (fd !== undefined) close(fd);
      if (error instanceof KernelError && error.errno === "EPROTONOSUPPORT") return undefined;
      throw error;
    }
  }

  /** Asks the kernel, and takes all notifications that are there. A kernel that does not answer may have some. */
  mayHaveAny(): boolean {
    try {
      while (receive(this.fd, buffer));
      const question = new MessageWriter(k.XFRM_MSG_GETSPDINFO, 0).u32(0).finish();
      const counts = this.#kernel.get(question, ({ body }) =>
        readAttributes("policies", body, 4).struct(k.XFRMA_SPD_INFO, 12),
      );
      return !counts || COUNTS_AT.some((at) => counts.u32(at) > 0);
    } catch (error) {
      if (error instanceof KernelError) return true;
      throw error;
    }
  }

  close(): void {
    close(this.fd);
    this.#kernel.close();
  }
}
