/**
 * The carrier of every `Kernel` of this process: one worker thread, which is the only place that enters namespaces and
 * talks to the kernel. Requests and answers are plain data; the worker may die and is started again by the next call.
 */
import { KernelError, type Kernel, type Netns } from "../world/kernel.ts";

/** What marks an object as ours: devices carry the link group, everything else the routing protocol number. */
export interface OwnerMark {
  readonly group: number;
  readonly protocol: number;
}

/** The mark of the mesh. Its doomed devices are in the next group. */
export const MESH_MARK: OwnerMark = { group: 0x4e4c0000, protocol: 78 };

/** The mark of a lab's underlay. */
export const LAB_MARK: OwnerMark = { group: 0x4e4c0100, protocol: 79 };

export interface KernelOptions {
  /** The namespace that `host` names. Default: the process's own. */
  readonly host?: Netns;
  /** Directory for pinned programs; a bpffs is mounted there when one is first needed. */
  readonly bpffs: string;
  /** Default: `MESH_MARK`. */
  readonly mark?: OwnerMark;
}

/** A `Kernel` that lives until `close`, which gives up its hold on `host` and leaves every object where it is. */
export interface LinuxKernel extends Kernel {
  close(): Promise<void>;
}

/** One worker thread and any number of kernels on it. */
export class LinuxMachine {
  static open(): Promise<LinuxMachine> {
    return Promise.reject(new KernelError("UNIMPLEMENTED", "open the kernel worker: not written"));
  }

  /** Opens a kernel. NOT_FOUND if `host` is not there. Devices that a crash left doomed in `host` are deleted. */
  kernel(options: KernelOptions): Promise<LinuxKernel> {
    return Promise.reject(new KernelError("UNIMPLEMENTED", `open a kernel at ${options.bpffs}: not written`));
  }

  /** Equivalent to: `ip netns add NAME`, with `path` = /run/netns/NAME. ALREADY_EXISTS if it does. All or nothing. */
  createNetns(path: string): Promise<void> {
    return Promise.reject(new KernelError("UNIMPLEMENTED", `create network namespace ${path}: not written`));
  }

  /** Equivalent to: `ip netns del NAME`. A path that is not there is a success. */
  removeNetns(path: string): Promise<void> {
    return Promise.reject(new KernelError("UNIMPLEMENTED", `remove network namespace ${path}: not written`));
  }

  /** Waits for the deletions under way, then ends the worker. */
  close(): Promise<void> {
    return Promise.resolve();
  }
}
