/**
 * Waits for the readiness of sockets made through FFI, which Node cannot poll. One thread of libuv's pool blocks in
 * epoll_wait; registrations need not wait for it, because epoll_ctl is thread-safe.
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

/** Called on the thread that opened the reactor, with the bits of `epoll_wait`. Edge-triggered: read until EAGAIN. */
export type ReadyCallback = (events: number) => void;

const ONE = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);

const EVENTS_PER_WAIT = 64;

export class Reactor {
  readonly #epoll: number;
  readonly #wakeup: number;
  readonly #buffer = Buffer.alloc(EVENT_BYTES * EVENTS_PER_WAIT);
  /** Resolves when the wait has ended. */
  readonly #ended: Promise<void>;
  readonly #callbacks = new Map<number, ReadyCallback>();
  /** Events carry a token instead of a descriptor, whose number may be reused by the time they arrive. */
  readonly #tokens = new Map<number, number>();
  #lastToken = 0;
  #isClosed = false;
  /** Node joins the threads of the pool before the process ends, and only the eventfd ends an epoll_wait. */
  readonly #endAtExit = (): void => this.#wake();

  private constructor(epoll: number, wakeup: number) {
    this.#epoll = epoll;
    this.#wakeup = wakeup;
    process.once("exit", this.#endAtExit);
    this.#ended = this.#run();
  }

  /**
   * Begins to wait. Until `close` this occupies a thread of the pool, and keeps the event loop of the caller's thread
   * alive.
   */
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
   * Calls `callback` at each new readiness of `fd` (default of `interest`: EPOLLIN | EPOLLRDHUP), within a millisecond, and
   * also if it is ready now. The descriptor still belongs to the caller and must be non-blocking. ALREADY_EXISTS if it is
   * registered, INVALID_ARGUMENT if it is not open.
   */
  register(fd: number, callback: ReadyCallback, interest = EPOLLIN | EPOLLRDHUP): void {
    if (this.#isClosed) {
      throw new KernelError("FAILED_PRECONDITION", `watch descriptor ${fd}: the reactor is closed`);
    }
    const token = this.#lastToken + 1;
    epollControl(this.#epoll, EPOLL_CTL_ADD, fd, epollEvent(token, interest | EPOLLET));
    this.#lastToken = token;
    // The number of a descriptor that was closed without `unregister` was reused: the kernel has dropped the old
    // registration.
    this.#forget(fd);
    this.#tokens.set(fd, token);
    this.#callbacks.set(token, callback);
  }

  /** Stops the callbacks. Call before closing the descriptor. Does nothing for an unregistered descriptor. */
  unregister(fd: number): void {
    if (!this.#forget(fd) || this.#isClosed) {
      return;
    }
    try {
      epollControl(this.#epoll, EPOLL_CTL_DEL, fd, epollEvent(0, 0));
    } catch (error) {
      // The descriptor was closed before: the kernel has dropped the registration.
      if (!(error instanceof KernelError && (error.errno === "EBADF" || error.errno === "ENOENT"))) {
        throw error;
      }
    }
  }

  /** The eventfd whose first event ends the wait, for a caller that outlives this thread. */
  get wakeup(): number {
    return this.#wakeup;
  }

  /** Ends the wait and all callbacks. Registered descriptors stay open. */
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
