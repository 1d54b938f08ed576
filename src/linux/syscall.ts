/**
 * The one door to the C library. Every function returns its result, or a negative errno; nothing here throws.
 * Descriptors are plain numbers and belong to the caller: close them with `closeSync`.
 */
import { endianness } from "node:os";
import koffi from "koffi";
import { codeOfErrno } from "../world/kernel-text.ts";
import { KernelError } from "../world/kernel.ts";

if (endianness() !== "LE") {
  throw new Error("netloom runs on little-endian machines only");
}

const libc = koffi.load("libc.so.6");

/** Linux's number for a system call that has no wrapper in the C library, by architecture. */
const SYS_BPF = process.arch === "arm64" ? 280 : 321;

const names = new Map(Object.entries(koffi.os.errno).map(([name, number]) => [number, name]));

/** `EEXIST` for 17, `errno 4711` for what has no name. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** The error for a negative result: `attach wire to link 7: EEXIST`, with the code that the errno means. */
export function systemError(attempted: string, result: number, reason?: string): KernelError {
  const errno = errnoName(-result);
  const message = `${attempted}: ${errno}${reason === undefined ? "" : `: ${reason}`}`;
  return new KernelError(codeOfErrno(errno), message, { errno });
}

/** A result, or `-errno` where the C library says -1. */
function outcome(result: number): number {
  return result < 0 ? -koffi.errno() : result;
}

const bpfCall = libc.func("long syscall(long number, int command, void *attributes, uint size)");

/** bpf(2). What `attributes` points to has to stay referenced until the call is over. */
export function bpf(command: number, attributes: Buffer): number {
  return outcome(bpfCall(SYS_BPF, command, attributes, attributes.length) as number);
}

/** The address of a buffer's memory, for a pointer inside of a structure. Valid as long as the buffer is referenced. */
export function addressOf(buffer: Buffer): bigint {
  return koffi.address(buffer);
}

const mountCall = libc.func("int mount(str source, str target, str type, ulong flags, str data)");
const unmountCall = libc.func("int umount2(str target, int flags)");

/** mount(2) without flags. Equivalent to: `mount -t TYPE SOURCE TARGET` */
export function mount(source: string, target: string, type: string): number {
  return outcome(mountCall(source, target, type, 0, null) as number);
}

/** umount2(2). `MNT_DETACH` is 2. */
export function unmount(target: string, flags = 0): number {
  return outcome(unmountCall(target, flags) as number);
}

const epollCreateCall = libc.func("int epoll_create1(int flags)");
const epollControlCall = libc.func("int epoll_ctl(int epoll, int operation, int fd, void *event)");
const epollWaitCall = libc.func("int epoll_wait(int epoll, void *events, int count, int timeout)");
const eventfdCall = libc.func("int eventfd(uint value, int flags)");

/** epoll_create1(EPOLL_CLOEXEC). */
export function epollCreate(): number {
  return outcome(epollCreateCall(0o2000000) as number);
}

/** epoll_ctl(2). `event` is a `struct epoll_event`: packed on x64, padded elsewhere. */
export function epollControl(epoll: number, operation: number, fd: number, event: Buffer): number {
  return outcome(epollControlCall(epoll, operation, fd, event) as number);
}

/** epoll_wait(2). Blocks this thread. */
export function epollWait(epoll: number, events: Buffer, count: number, timeoutMs: number): number {
  return outcome(epollWaitCall(epoll, events, count, timeoutMs) as number);
}

/** eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK). */
export function eventfd(): number {
  return outcome(eventfdCall(0, 0o2004000) as number);
}
