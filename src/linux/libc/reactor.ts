/**
 * Readiness of foreign descriptors: sockets that were made through FFI, which Node cannot poll by itself. One thread of
 * libuv's pool sits in epoll_wait; registering goes past it, because epoll_ctl is thread-safe.
 */
import { writeSync } from "node:fs";
import { KernelError } from "../../kernel/kernel.ts";
import {
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLLET,
  epollEvent,
  EPOLLIN,
  EPOLLRDHUP,
  EVENT_BYTES,
  readEvent,
} from "./epoll-event.ts";
import { close, epollControl, epollCreate, epollWait, eventfd } from "./syscall.ts";

/** Called on the thread that opened the reactor, with the bits of `epoll_wait`. Drain until EAGAIN: edge-triggered. */
export type ReadyCallback = (events: number) => void;

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

const EVENTS_PER_WAIT = 64;

export class Reactor {
  readonly #epoll: number;
  readonly #wakeup: number;
  readonly #buffer = Buffer.alloc(EVENT_BYTES * EVENTS_PER_WAIT);
  /** Resolves when nobody waits any more. */
  readonly #ended: Promise<void>;
  readonly #callbacks = new Map<number, ReadyCallback>();
  /** The kernel's events carry a token, never a descriptor: its number may be another file's by the time they arrive. */
  readonly #tokens = new Map<number, number>();
  #lastToken = 0;
  #isClosed = false;
  /** Node joins the threads of the pool before the process ends, and nothing but the eventfd ends an epoll_wait. */
  readonly #endAtExit = (): void => this.#wake();

  private constructor(epoll: number, wakeup: number) {
    this.#epoll = epoll;
    this.#wakeup = wakeup;
    process.once("exit", this.#endAtExit);
    this.#ended = this.#run();
  }

  /** Begins to wait. Until `close` that keeps a thread of the pool, and the event loop of the caller's thread alive. */
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

  /** The eventfd whose first event ends the wait, for one who outlives this thread. */
  get wakeup(): number {
    return this.#wakeup;
  }

  /** Ends the wait. Registered descriptors stay open; no callback comes any more. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#callbacks.clear();
      this.#tokens.clear();
      process.removeListener("exit", this.#endAtExit);
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

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const count = await epollWait(this.#epoll, this.#buffer, EVENTS_PER_WAIT);
      for (let index = 0; index < count; index++) {
        const { token, events } = readEvent(this.#buffer, index);
        this.#callbacks.get(token)?.(events);
      }
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
