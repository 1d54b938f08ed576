/**
 * All that an agent needs privileges for, as one port. What is asked and answered is plain data, and what is opened comes as a
 * descriptor: so whoever holds the privileges may be a thread of this process, or another process.
 */
import type { Kernel, Netns, OwnerMark } from "./kernel.ts";

export interface Privileged {
  /**
   * A kernel: batches, what there is, and news of it. NOT_FOUND if `host` is not there. Devices that a crash left doomed in `host`
   * are deleted.
   */
  kernel(options: KernelNeed): Promise<OpenKernel>;
  /** Opens it, and hands it over. NOT_FOUND if it is not there, PERMISSION_DENIED without the privilege. */
  open(need: Need): Promise<Descriptor>;
  /** The device by which packets to `address` leave a namespace; `undefined` if no route leads there. NOT_FOUND without the namespace. */
  deviceTowards(netns: Netns, address: string): Promise<string | undefined>;
}

export interface KernelNeed {
  /** The namespace that `host` names. Default: the process's own. */
  readonly host?: Netns;
  /** Directory for pinned programs; a bpffs is mounted there when one is first needed. */
  readonly bpffs: string;
  /** Default: `MESH_MARK`. */
  readonly mark?: OwnerMark;
}

/** Lives until `close`, which gives up its hold on `host` and leaves every object where it is. */
export interface OpenKernel extends Kernel {
  close(): Promise<void>;
}

/** What may be opened. */
export type Need =
  /** A namespace, alive as long as somebody has it open. */
  | { readonly type: "netns"; readonly netns: Netns }
  /** A process, by pidfd_open(2): the descriptor can be read from when it has ended. */
  | { readonly type: "process"; readonly pid: number }
  /** socket(2) in a namespace, which it keeps alive. */
  | { readonly type: "socket"; readonly netns: Netns; readonly kind: SocketKind }
  /**
   * The file that a listening unix socket is bound to, by its device and inode, in whichever network and mount namespace that is:
   * no other socket gets its inode while it is open. NOT_FOUND if nobody listens there.
   */
  | { readonly type: "socket-file"; readonly identity: string }
  /** A connection to the unix socket at `path`, such as a container runtime's. UNAVAILABLE if nobody listens there. */
  | { readonly type: "connection"; readonly path: string };

/** The arguments of socket(2). */
export interface SocketKind {
  readonly domain: number;
  readonly type: number;
  readonly protocol: number;
}

/** An open file, close-on-exec. Who asked for it closes it. */
export interface Descriptor {
  readonly fd: number;
  /** May be called again. */
  close(): void;
}
