/** The privileges of a host on a simulated machine. A descriptor is a number that is open or closed. */
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import type { Descriptor, KernelNeed, Need, OpenKernel, Privileged } from "../../kernel/privileged.ts";
import type { SimMachine } from "./kernel.ts";

/** A listening unix socket. */
export interface SimSocket {
  readonly path: string;
  /** The identity of its file. */
  readonly identity: `inode://${string}`;
}

export class SimPrivileged implements Privileged {
  readonly #machine: SimMachine;
  readonly #host: Netns | undefined;
  readonly #sockets = new Set<SimSocket>();
  readonly #open = new Set<number>();
  #last = 2;

  /** `host`: the namespace of the process. Default: the machine's first one. */
  constructor(machine: SimMachine, host?: Netns) {
    this.#machine = machine;
    this.#host = host;
  }

  /** The number of open descriptors. */
  get descriptors(): number {
    return this.#open.size;
  }

  /**
   * Starts to listen on a socket. The returned function stops it; the file stays, and may later belong to another socket.
   */
  listen(socket: SimSocket): () => void {
    this.#sockets.add(socket);
    return () => this.#sockets.delete(socket);
  }

  async kernel({ host = this.#host, mark }: KernelNeed): Promise<OpenKernel> {
    return this.#machine.kernel({ ...(host !== undefined && { host }), ...(mark && { mark }) });
  }

  async open(need: Need): Promise<Descriptor> {
    switch (need.type) {
      case "netns":
      case "socket":
        await this.#machine.kernel(this.#host === undefined ? {} : { host: this.#host }).resolve(need.netns);
        return this.#descriptor();
      case "process": {
        const held = await this.#machine.processes.hold(need.pid);
        return this.#descriptor(() => held.release());
      }
      case "connection":
        return this.#found((each) => each.path === need.path, `connect to ${need.path}`);
      case "socket-file":
      default:
        return this.#found((each) => each.identity === need.identity, `find socket ${need.identity}`);
    }
  }

  async deviceTowards(netns: Netns, address: string): Promise<string | undefined> {
    return this.#machine.deviceTowards(netns, address);
  }

  #found(isIt: (socket: SimSocket) => boolean, attempt: string): Descriptor {
    if ([...this.#sockets].some(isIt)) return this.#descriptor();
    throw new KernelError("NOT_FOUND", `${attempt}: nobody listens there`);
  }

  #descriptor(onClose: () => void = () => undefined): Descriptor {
    const fd = ++this.#last;
    this.#open.add(fd);
    return {
      fd,
      close: () => {
        if (this.#open.delete(fd)) onClose();
      },
    };
  }
}
