/** Readiness of foreign descriptors: sockets that were made through FFI, which Node cannot poll by itself. */

/** Called on the thread that opened the reactor, with the bits of `epoll_wait`. Drain until EAGAIN: edge-triggered. */
export type ReadyCallback = (events: number) => void;

export interface Reactor {
  /**
   * Calls `callback` at each new readiness of `fd` (EPOLLIN | EPOLLRDHUP unless `interest` says otherwise), in under a
   * millisecond. The descriptor stays the caller's and has to be non-blocking. ALREADY_EXISTS if it is registered.
   */
  register(fd: number, callback: ReadyCallback, interest?: number): void;
  /** No callback comes after this. To be called before the descriptor is closed; unknown descriptors are fine. */
  unregister(fd: number): void;
  /** Ends the thread. Registered descriptors stay open. */
  close(): Promise<void>;
}
/** Starts the thread. It keeps neither the event loop nor the process alive. */
export declare function openReactor(): Reactor;
