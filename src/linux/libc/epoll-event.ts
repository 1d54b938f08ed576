/**
 * `struct epoll_event`: u32 events, u64 data. Packed on x64 (12 bytes), padded elsewhere (16 bytes). Source:
 * include/uapi/linux/eventpoll.h
 */
const DATA_AT = process.arch === "x64" ? 4 : 8;
export const EVENT_BYTES = DATA_AT + 8;

export const EPOLLIN = 0x1;
export const EPOLLRDHUP = 0x2000;
export const EPOLLET = 0x80000000;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;

/** An event for epoll_ctl(2). */
export function epollEvent(token: number, events: number): Buffer {
  const event = Buffer.alloc(EVENT_BYTES);
  event.writeUInt32LE(events >>> 0, 0);
  event.writeBigUInt64LE(BigInt(token), DATA_AT);
  return event;
}

/** Reads event number `index` from the result of epoll_wait(2). */
export function readEvent(buffer: Buffer, index: number): { token: number; events: number } {
  const at = index * EVENT_BYTES;
  return { token: Number(buffer.readBigUInt64LE(at + DATA_AT)), events: buffer.readUInt32LE(at) };
}
