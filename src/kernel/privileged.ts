/**
 * All operations that need privileges, as one interface. Questions and answers are plain data, and opened files come as
 * descriptors, so that the holder of the privileges may be a thread of this process or another process.
 */
import type { Kernel, Netns, OwnerMark } from "./kernel.ts";

export interface Privileged {
  /** Opens a kernel. NOT_FOUND if `host` does not exist. Deletes devices in `host` that were doomed before a crash. */
  kernel(options: KernelNeed): Promise<OpenKernel>;
  /**
   * Opens a file, process or socket, and hands over the descriptor. NOT_FOUND if it does not exist, PERMISSION_DENIED
   * without the privilege.
   */
  open(need: Need): Promise<Descriptor>;
  /**
   * The device that packets to `address` leave a namespace by; `undefined` without a route. NOT_FOUND without the
   * namespace.
   */
  deviceTowards(netns: Netns, address: string): Promise<string | undefined>;
}

export interface KernelNeed {
  /** The namespace to use as `host`. Default: that of the process. */
  readonly host?: Netns;
  /** Directory for pinned programs. A bpffs is mounted there on first use. */
  readonly bpffs: string;
  /** Default: `MESH_MARK`. */
  readonly mark?: OwnerMark;
}

/** A kernel that is open until `close`. `close` releases `host` and leaves every object in place. */
export interface OpenKernel extends Kernel {
  close(): Promise<void>;
}

/** Resources that can be opened. */
export type Need =
  /** A namespace. It stays alive while a descriptor of it is open. */
  | { readonly type: "netns"; readonly netns: Netns }
  /** A process, by pidfd_open(2): the descriptor becomes readable when the process ends. */
  | { readonly type: "process"; readonly pid: number }
  /** A socket(2) in a namespace. The socket keeps the namespace alive. */
  | { readonly type: "socket"; readonly netns: Netns; readonly kind: SocketKind }
  /**
   * The file of a listening unix socket, by device and inode, in any network and mount namespace. While the descriptor is
   * open, no other socket gets this inode. NOT_FOUND if nothing listens there.
   */
  | { readonly type: "socket-file"; readonly identity: string }
  /**
   * A connection to the unix socket at `path`, such as that of a container runtime. UNAVAILABLE if nothing listens there.
   */
  | { readonly type: "connection"; readonly path: string };

/** The arguments of socket(2). */
export interface SocketKind {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

/** An open file descriptor, close-on-exec. The caller closes it. */
export interface Descriptor {
  readonly fd: number;
  /** May be called again. */
  close(): void;
}
