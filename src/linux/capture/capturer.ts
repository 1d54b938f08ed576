/** Captures of this machine. */
import type { Capture, Capturer, CaptureOptions } from "../../kernel/capturer.ts";
import type { OnLink } from "../../kernel/kernel.ts";
import type { Privileged } from "../../kernel/privileged.ts";
import { Reactor } from "../libc/reactor.ts";
import { PacketSocket } from "./packet-socket.ts";

/**
 * Opens captures. The kernel worker opens the sockets, and the caller's thread reads them. One thread of the pool waits for
 * all of them.
 */
export function linuxCapturer(machine: Pick<Privileged, "open">): Capturer {
  const readiness = new Readiness();
  return {
    open: async (device: OnLink, options: CaptureOptions): Promise<Capture> => {
      const socket = await PacketSocket.open(machine, device, options);
      let isOpen = true;
      try {
        readiness.register(socket.fd, options.onReady);
      } catch (error) {
        socket.close();
        throw error;
      }
      return {
        read: async () => (isOpen ? socket.read() : { frames: [], isAll: true }),
        counts: () => socket.counts(),
        close: () => {
          if (!isOpen) return;
          isOpen = false;
          readiness.unregister(socket.fd);
          socket.close();
        },
      };
    },
  };
}

/** A reactor that is open while any capture waits. */
class Readiness {
  #reactor: Reactor | undefined;
  #count = 0;

  register(fd: number, onReady: () => void): void {
    this.#reactor ??= Reactor.open();
    this.#count++;
    try {
      this.#reactor.register(fd, onReady);
    } catch (error) {
      this.unregister(fd);
      throw error;
    }
  }

  unregister(fd: number): void {
    this.#reactor?.unregister(fd);
    if (--this.#count > 0) return;
    const reactor = this.#reactor;
    this.#reactor = undefined;
    reactor?.close().catch(rethrow);
  }
}

/** An error while a reactor ends is a bug: throw it as an uncaught exception. */
function rethrow(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
