/**
 * Runs every `Kernel` of this process on one worker thread, the only thread that enters namespaces and talks to the kernel.
 * Requests and answers are plain data. If the worker dies, the next call starts it again.
 */
import { closeSync, writeSync } from "node:fs";
import { stat } from "node:fs/promises";
import { Worker } from "node:worker_threads";
import {
  type AddressQuery,
  type ApplyOptions,
  type CounterQuery,
  type Counters,
  type Drops,
  type PortFacts,
  KernelError,
  type KernelEvent,
  type KernelObject,
  MESH_MARK,
  type NativeNetwork,
  type NativeQuery,
  type Netns,
  type NetnsIdentity,
  type ObserveQuery,
  type OnLink,
  type Operation,
  type OwnAddress,
  type WatchPurpose,
  type Way,
  type WayQuery,
} from "../../kernel/kernel.ts";
import { type Watch } from "../../async/watch.ts";
import type { Descriptor, KernelNeed, Need, OpenKernel, Privileged } from "../../kernel/privileged.ts";
import { demandDevicesLast } from "../../kernel/operations.ts";
import { descriptor } from "../libc/descriptor.ts";
import { KernelWatchers } from "./kernel-watchers.ts";
import {
  errorFromData,
  type KernelSettings,
  type Post,
  type LastingProgram,
  type Request,
  type WorkerMemory,
} from "./messages.ts";

export interface KernelOptions extends KernelNeed {
  /** The most unread events of a watch. Default: 10,000. */
  readonly watchLimit?: number;
  /** Netloom's programs alone handle plain tunnel packets. Default: true. */
  readonly fastPath?: boolean;
}

/** The most descriptors of the worker that are closed when it dies. */
const LEDGER_SLOTS = 4096;

interface Pending {
  readonly what: string;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A running worker and its unanswered requests. */
interface Carrier {
  readonly worker: Worker;
  readonly pending: Map<number, Pending>;
  readonly memory: WorkerMemory;
  /** Unblocks the worker when this process exits while the worker is busy, because Node joins all threads. */
  readonly endAtExit: () => void;
}

/** One worker thread and any number of kernels on it. */
export class LinuxMachine implements Privileged {
  #carrier: Carrier | undefined;
  #isClosed = false;
  #lastId = 0;
  readonly #kernels = new Map<number, WorkerKernel>();

  private constructor() {}

  static async open(): Promise<LinuxMachine> {
    // Starts the threads of libuv's pool now, because they stay in the namespace in which they start.
    await stat("/");
    return new LinuxMachine();
  }

  async kernel(options: KernelOptions): Promise<OpenKernel> {
    const settings = {
      hostPath: pathOf(options.host ?? "host"),
      bpffs: options.bpffs,
      mark: options.mark ?? MESH_MARK,
      fastPath: options.fastPath ?? true,
    };
    const kernel = new WorkerKernel(++this.#lastId, settings, this, options.watchLimit);
    await this.call({ type: "open", kernel: kernel.number, settings });
    this.#kernels.set(kernel.number, kernel);
    return kernel;
  }

  /**
   * Equivalent to: `ip netns add NAME`, with `path` = /run/netns/NAME. ALREADY_EXISTS if the path exists. All or nothing.
   */
  async createNetns(path: string): Promise<void> {
    await this.call({ type: "create-netns", path });
  }

  /** Equivalent to: `ip netns del NAME`. Succeeds if the path does not exist. */
  async removeNetns(path: string): Promise<void> {
    await this.call({ type: "remove-netns", path });
  }

  async open(need: Need): Promise<Descriptor> {
    return descriptor((await this.call({ type: "descriptor", need })) as number);
  }

  /** Equivalent to: `ip route get A` */
  async deviceTowards(netns: Netns, address: string): Promise<string | undefined> {
    return (await this.call({ type: "device-towards", netns, address })) as string | undefined;
  }

  /**
   * Starts a program in a namespace, in its own session: it survives the end of this process. Returns its process ID.
   * NOT_FOUND without the namespace or the program.
   */
  async spawn(netns: Netns, program: LastingProgram): Promise<number> {
    return (await this.call({ type: "spawn", netns, program })) as number;
  }

  /** Waits for the running deletions, then ends the worker. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    const carrier = this.#carrier;
    if (carrier) {
      const ended = new Promise<void>((resolve) => carrier.worker.once("exit", () => resolve()));
      await this.call({ type: "end" });
      carrier.worker.ref();
      this.#isClosed = true;
      await ended;
    }
    this.#isClosed = true;
    const kernels = [...this.#kernels.values()];
    this.#kernels.clear();
    for (const kernel of kernels) kernel.watchers.closeAll();
  }

  /** Sends a request to the worker. For kernels of this machine only. */
  call(request: Request): Promise<unknown> {
    if (this.#isClosed)
      return Promise.reject(new KernelError("FAILED_PRECONDITION", `${request.type}: the machine is closed`));
    const carrier = (this.#carrier ??= this.#start());
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId;
      if (carrier.pending.size === 0) carrier.worker.ref();
      carrier.pending.set(id, { what: request.type, resolve, reject });
      carrier.worker.postMessage({ id, request });
    });
  }

  /** False if the kernel is already closed. */
  forget(kernel: WorkerKernel): boolean {
    return this.#kernels.delete(kernel.number);
  }

  #start(): Carrier {
    const memory: WorkerMemory = {
      ledger: new Int32Array(new SharedArrayBuffer(LEDGER_SLOTS * 4)),
      wakeup: new Int32Array(new SharedArrayBuffer(4)),
    };
    const file = import.meta.url.endsWith(".ts") ? "./worker.ts" : "./worker.js";
    const worker = new Worker(new URL(file, import.meta.url), {
      name: "kernel",
      workerData: memory,
      // Without the flags of this process: some, such as --eval's --input-type, are invalid for a file.
      execArgv: [],
      // Most descriptors of the worker do not come from node:fs; the ledger records them.
      trackUnmanagedFds: false,
    });
    const endAtExit = (): void => {
      const fd = Atomics.load(memory.wakeup, 0);
      if (fd !== 0) writeSync(fd, new BigUint64Array([1n]));
    };
    const carrier: Carrier = { worker, memory, endAtExit, pending: new Map() };
    process.once("exit", endAtExit);
    let cause: unknown;
    worker.on("message", (post: Post) => this.#receive(carrier, post));
    worker.on("error", (error) => {
      cause = error;
    });
    worker.on("exit", () => this.#died(carrier, cause));
    worker.unref();
    for (const { number, settings } of this.#kernels.values())
      worker.postMessage({ id: 0, request: { type: "open", kernel: number, settings } });
    return carrier;
  }

  #receive(carrier: Carrier, post: Post): void {
    if ("events" in post) {
      for (const event of post.events) this.#kernels.get(post.kernel)?.watchers.push(event);
      return;
    }
    const pending = carrier.pending.get(post.id);
    carrier.pending.delete(post.id);
    if (carrier.pending.size === 0) carrier.worker.unref();
    if (pending && "error" in post) pending.reject(errorFromData(post.error));
    else if (pending && "value" in post) pending.resolve(post.value);
  }

  #died(carrier: Carrier, cause: unknown): void {
    if (this.#carrier === carrier) this.#carrier = undefined;
    process.removeListener("exit", carrier.endAtExit);
    for (const fd of carrier.memory.ledger) if (fd !== 0) closeSync(fd);
    for (const { what, reject } of carrier.pending.values()) {
      const message = `kernel worker died during ${what}: what it had done is still in the kernel; observe and apply again`;
      reject(new KernelError("ABORTED", message, { cause }));
    }
    if (this.#isClosed) return;
    for (const kernel of this.#kernels.values()) kernel.listenAgain();
  }
}

/** The caller's side of a kernel: passes everything on to the worker, and distributes events. */
class WorkerKernel implements OpenKernel {
  readonly number: number;
  readonly settings: KernelSettings;
  readonly watchers: KernelWatchers;
  readonly #machine: LinuxMachine;

  constructor(
    number: number,
    settings: KernelSettings,
    machine: LinuxMachine,
    watchLimit: number | undefined,
  ) {
    this.number = number;
    this.settings = settings;
    this.#machine = machine;
    this.watchers = new KernelWatchers((purpose) => this.#listen(purpose), watchLimit);
  }

  async apply(batch: readonly Operation[], options: ApplyOptions = {}): Promise<void> {
    demandDevicesLast(batch);
    await this.#machine.call({ type: "apply", kernel: this.number, batch, options });
  }

  async observe(queries: readonly ObserveQuery[]): Promise<KernelObject[]> {
    return (await this.#machine.call({ type: "observe", kernel: this.number, queries })) as KernelObject[];
  }

  async nativeNetworks(queries: readonly NativeQuery[]): Promise<(NativeNetwork | undefined)[]> {
    return (await this.#machine.call({ type: "native-networks", kernel: this.number, queries })) as (
      | NativeNetwork
      | undefined
    )[];
  }

  async counters(queries: readonly CounterQuery[]): Promise<(Counters | undefined)[]> {
    return (await this.#machine.call({ type: "counters", kernel: this.number, queries })) as (
      | Counters
      | undefined
    )[];
  }

  async devices(queries: readonly OnLink[]): Promise<(PortFacts | undefined)[]> {
    return (await this.#machine.call({ type: "devices", kernel: this.number, queries })) as (
      | PortFacts
      | undefined
    )[];
  }

  async ways(queries: readonly WayQuery[]): Promise<(Way | undefined)[]> {
    return (await this.#machine.call({ type: "ways", kernel: this.number, queries })) as (Way | undefined)[];
  }

  async addresses(queries: readonly AddressQuery[]): Promise<(OwnAddress | undefined)[]> {
    return (await this.#machine.call({ type: "addresses", kernel: this.number, queries })) as (
      | OwnAddress
      | undefined
    )[];
  }

  async drops(): Promise<Drops> {
    return (await this.#machine.call({ type: "drops", kernel: this.number })) as Drops;
  }

  async resolve(netns: Netns): Promise<NetnsIdentity> {
    return (await this.#machine.call({ type: "resolve", kernel: this.number, netns })) as NetnsIdentity;
  }

  watch(purpose?: WatchPurpose): Watch<KernelEvent> {
    return this.watchers.watch(purpose);
  }

  async settle(): Promise<void> {
    await this.#machine.call({ type: "settle", kernel: this.number });
  }

  async close(): Promise<void> {
    this.watchers.closeAll();
    if (this.#machine.forget(this)) await this.#machine.call({ type: "close", kernel: this.number });
  }

  /** Subscribes again after the death of the worker, whose notifications are lost. */
  listenAgain(): void {
    if (!this.watchers.purpose) return;
    this.#listen(this.watchers.purpose);
    this.watchers.push({ type: "resync", reason: "the kernel worker died" });
  }

  #listen(purpose: WatchPurpose | undefined): void {
    this.#machine
      .call({ type: "listen", kernel: this.number, purpose })
      .catch((error: unknown) =>
        this.watchers.push({ type: "resync", reason: `cannot listen: ${String(error)}` }),
      );
  }
}

/** The path of a namespace, for the worker. */
function pathOf(host: Netns): string {
  if (host === "host") return "/proc/self/ns/net";
  if (host.startsWith("file:///")) return host.slice("file://".length);
  throw new KernelError(
    "INVALID_ARGUMENT",
    `open a kernel in ${host}: its host has to be given as file:///path`,
  );
}
