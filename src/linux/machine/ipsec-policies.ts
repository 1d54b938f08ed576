/**
 * Detects IPsec policies of a namespace. A packet that a program redirects bypasses them: it would leave unencrypted, or
 * enter where only encrypted packets may.
 * Source: include/uapi/linux/xfrm.h
 */
import { KernelError } from "../../kernel/kernel.ts";
import { close, receive, setSocketOption } from "../libc/syscall.ts";
import * as k from "../netlink/constants.ts";
import { join, openBound } from "../netlink/groups.ts";
import { readAttributes } from "../netlink/message-reader.ts";
import { MessageWriter } from "../netlink/message-writer.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";

/** `struct xfrmu_spdinfo`: the numbers of policies in, out and forward; the numbers of socket policies follow. */
const COUNTS_AT = [0, 4, 8] as const;

const buffer = new Uint8Array(65536);

export class IpsecPolicies {
  /** Readable when a policy was added or removed. */
  readonly fd: number;
  readonly #kernel: NetlinkSocket;

  private constructor(fd: number, kernel: NetlinkSocket) {
    this.fd = fd;
    this.#kernel = kernel;
  }

  /** Opens the policies of the current namespace. `undefined` if the kernel has no IPsec. */
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

  /** Queries the kernel, and discards all queued notifications. True if the kernel gives no answer. */
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
