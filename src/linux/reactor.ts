/**
 * Readiness of foreign descriptors: sockets that were made through FFI, which Node cannot poll by itself. One thread
 * sits in epoll_wait and posts what is ready; registering goes past it, because epoll_ctl is thread-safe.
 */
import { writeSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { KernelError } from "../world/kernel.ts";
import { EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET, epollEvent, EPOLLIN, EPOLLRDHUP } from "./epoll-event.ts";
import { close, epollControl, epollCreate, eventfd } from "./syscall.ts";

/** Called on the thread that opened the reactor, with the bits of `epoll_wait`. Drain until EAGAIN: edge-triggered. */
export type ReadyCallback = (events: number) => void;

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

const EXIT_WAIT_MS = 2000;

/** The same extension as this file: `.ts` from the sources, `.js` when compiled. */
const WORKER = new URL(`./reactor-worker${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

export class Reactor {
  readonly #epoll: number;
  readonly #wakeup: number;
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  readonly #callbacks = new Map<number, ReadyCallback>();
  /** The kernel's events carry a token, never a descriptor: its number may be another file's by the time they arrive. */
  readonly #tokens = new Map<number, number>();
  #lastToken = 0;
  #isClosed = false;
  /** Turns to 1 when the thread has left its loop. */
  readonly #hasEnded = new Int32Array(new SharedArrayBuffer(4));
  /**
   * Node joins its threads before it exits, and nothing but the eventfd ends an epoll_wait. The wait is for a thread that
   * is still starting: to be terminated while it loads koffi would abort the process.
   */
  readonly #endAtExit = (): void => {
    this.#wake();
    Atomics.wait(this.#hasEnded, 0, 0, EXIT_WAIT_MS);
  };

  private constructor(epoll: number, wakeup: number) {
    this.#epoll = epoll;
    this.#wakeup = wakeup;
    // Without the flags of this process: some, such as --eval's --input-type, do not suit a file.
    this.#worker = new Worker(WORKER, {
      workerData: { epoll, hasEnded: this.#hasEnded },
      name: "reactor",
      execArgv: [],
    });
    this.#worker.on("message", (ready: number[]) => this.#dispatch(ready));
    this.#ended = new Promise((resolve) => {
      this.#worker.once("exit", () => resolve());
    });
    this.#worker.unref();
    process.once("exit", this.#endAtExit);
  }

  /** Starts the thread, in the namespace of the caller's. It keeps neither the event loop nor the process alive. */
  static open(): Reactor {
    const epoll = epollCreate();
    let wakeup: number | undefined;
    try {
      wakeup = eventfd();
      epollControl(epoll, EPOLL_CTL_ADD, wakeup, epollEvent(0, EPOLLIN));
      return new Reactor(epoll, wakeup);
    } catch (error) {
      close(epoll);
      if (wakeup !== undefined) {
        close(wakeup);
      }
      throw error;
    }
  }

  /**
   * Calls `callback` at each new readiness of `fd` (EPOLLIN | EPOLLRDHUP unless `interest` says otherwise), in under a
   * millisecond. The descriptor stays the caller's and has to be non-blocking. If it is ready now, the callback comes,
   * too. ALREADY_EXISTS if it is registered, INVALID_ARGUMENT if it is not open.
   */
  register(fd: number, callback: ReadyCallback, interest = EPOLLIN | EPOLLRDHUP): void {
    if (this.#isClosed) {
      throw new KernelError("FAILED_PRECONDITION", `watch descriptor ${fd}: the reactor is closed`);
    }
    const token = this.#lastToken + 1;
    epollControl(this.#epoll, EPOLL_CTL_ADD, fd, epollEvent(token, interest | EPOLLET));
    this.#lastToken = token;
    // The kernel forgot a descriptor that was closed without `unregister`; then the number came again.
    this.#forget(fd);
    this.#tokens.set(fd, token);
    this.#callbacks.set(token, callback);
  }

  /** No callback comes after this. To be called before the descriptor is closed; what is not registered is fine. */
  unregister(fd: number): void {
    if (!this.#forget(fd) || this.#isClosed) {
      return;
    }
    try {
      epollControl(this.#epoll, EPOLL_CTL_DEL, fd, epollEvent(0, 0));
    } catch (error) {
      // The descriptor was closed before: the kernel has forgotten it by itself.
      if (!(error instanceof KernelError && (error.errno === "EBADF" || error.errno === "ENOENT"))) {
        throw error;
      }
    }
  }

  /** The eventfd whose first event ends the thread, for one who outlives this thread. */
  get wakeup(): number {
    return this.#wakeup;
  }

  /** Ends the thread. Registered descriptors stay open; no callback comes any more. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#callbacks.clear();
      this.#tokens.clear();
      process.removeListener("exit", this.#endAtExit);
      this.#worker.ref();
      this.#wake();
      await this.#ended;
      close(this.#epoll);
      close(this.#wakeup);
    }
    await this.#ended;
  }

  #wake(): void {
    writeSync(this.#wakeup, ONE);
  }

  #dispatch(ready: readonly number[]): void {
    for (let index = 0; index < ready.length; index += 2) {
      this.#callbacks.get(ready[index] ?? 0)?.(ready[index + 1] ?? 0);
    }
  }

  #forget(fd: number): boolean {
    const token = this.#tokens.get(fd);
    if (token === undefined) {
      return false;
    }
    this.#callbacks.delete(token);
    return this.#tokens.delete(fd);
  }
}
