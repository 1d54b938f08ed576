/** The thread of reactor.ts: waits, and tells. It ends at the first event of the eventfd, whose token is 0. */
import { parentPort, workerData } from "node:worker_threads";
import { EVENT_BYTES, readEvent } from "./epoll-event.ts";
import { epollWait } from "./syscall.ts";

const EVENTS_PER_WAIT = 64;

const { epoll, hasEnded } = workerData as { epoll: number; hasEnded: Int32Array };
const buffer = Buffer.alloc(EVENT_BYTES * EVENTS_PER_WAIT);

for (let isOpen = true; isOpen;) {
  const count = epollWait(epoll, buffer, EVENTS_PER_WAIT);
  const ready: number[] = [];
  for (let index = 0; index < count; index++) {
    const { token, events } = readEvent(buffer, index);
    if (token === 0) {
      isOpen = false;
    } else {
      ready.push(token, events);
    }
  }
  if (ready.length > 0) {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort, not a window
    parentPort?.postMessage(ready);
  }
}

Atomics.store(hasEnded, 0, 1);
Atomics.notify(hasEnded, 0);
