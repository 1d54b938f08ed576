/**
 * libc through FFI: the system calls that Node does not offer. The first call loads koffi, so that commands that do not use
 * the kernel do not pay for it. Every call is synchronous unless its name says otherwise, and throws a `KernelError` with
 * the errno.
 */
import { createRequire } from "node:module";
import { constants } from "node:os";
import type Koffi from "koffi";
import { KernelError } from "../../kernel/kernel.ts";
import { codeOfErrno } from "../../kernel/kernel-text.ts";

type Pointer = Uint8Array | Uint32Array | BigUint64Array | null;

interface Native<A extends readonly unknown[], R> {
  (...args: A): R;
  async(...args: [...A, callback: (error: unknown, result: R) => void]): void;
}

export const SOCK_STREAM = 1;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const SO_RCVBUF = 8;
export const SO_RCVBUFFORCE = 33;
const SO_BINDTODEVICE = 25;
const SO_ATTACH_FILTER = 26;
/** include/uapi/asm-generic/socket.h since Linux 5.14. */
export const SO_NETNS_COOKIE = 71;
export const MSG_DONTWAIT = 0x40;
export const CLONE_NEWNET = 0x40000000;
export const MS_BIND = 0x1000;
export const MNT_DETACH = 2;
const CLONE_NEWNS = 0x20000;
const MS_REC = 0x4000;
const MS_PRIVATE = 1 << 18;
const MS_SHARED = 1 << 20;

let koffi: typeof Koffi | undefined;
let libc: ReturnType<typeof Koffi.load> | undefined;

/** Declares one function of libc, bound on first use. */
function declare<A extends readonly unknown[], R>(prototype: string): () => Native<A, R> {
  let native: Native<A, R> | undefined;
  return () => {
    koffi ??= createRequire(import.meta.url)("koffi") as typeof Koffi;
    libc ??= koffi.load(null);
    native ??= libc.func(prototype) as Native<A, R>;
    return native;
  };
}

const native = {
  socket: declare<[number, number, number], number>("int socket(int domain, int type, int protocol)"),
  bind: declare<[number, Pointer, number], number>("int bind(int fd, const void *address, uint32_t length)"),
  sendto: declare<[number, Pointer, number, number, Pointer, number], number>(
    "int64_t sendto(int fd, const void *data, size_t length, int flags, const void *address, uint32_t addressLength)",
  ),
  recv: declare<[number, Pointer, number, number], number>(
    "int64_t recv(int fd, void *data, size_t length, int flags)",
  ),
  recvmsg: declare<[number, Pointer, number], number>("int64_t recvmsg(int fd, void *message, int flags)"),
  setsockopt: declare<[number, number, number, Pointer, number], number>(
    "int setsockopt(int fd, int level, int name, const void *value, uint32_t length)",
  ),
  getsockopt: declare<[number, number, number, Pointer, Pointer], number>(
    "int getsockopt(int fd, int level, int name, void *value, void *length)",
  ),
  setns: declare<[number, number], number>("int setns(int fd, int type)"),
  unshare: declare<[number], number>("int unshare(int flags)"),
  mount: declare<[string, string, string | null, number, null], number>(
    "int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)",
  ),
  umount2: declare<[string, number], number>("int umount2(const char *target, int flags)"),
  fsopen: declare<[number, string, number], number>(
    "long syscall(long number, const char *type, unsigned int flags)",
  ),
  fsconfig: declare<[number, number, number, null, null, number], number>(
    "long syscall(long number, int fd, unsigned int command, const void *key, const void *value, int aux)",
  ),
  fsmount: declare<[number, number, number, number], number>(
    "long syscall(long number, int fd, unsigned int flags, unsigned int attributes)",
  ),
  bpf: declare<[number, number, Pointer, number], number>(
    "long syscall(long number, int command, void *attributes, unsigned int size)",
  ),
  epollCreate1: declare<[number], number>("int epoll_create1(int flags)"),
  epollCtl: declare<[number, number, number, Pointer], number>(
    "int epoll_ctl(int epoll, int operation, int fd, const void *event)",
  ),
  epollWait: declare<[number, Pointer, number, number], number>(
    "int epoll_wait(int epoll, void *events, int count, int timeout)",
  ),
  eventfd: declare<[number, number], number>("int eventfd(unsigned int value, int flags)"),
  close: declare<[number], number>("int close(int fd)"),
  connect: declare<[number, Pointer, number], number>(
    "int connect(int fd, const void *address, uint32_t length)",
  ),
  poll: declare<[Pointer, number, number], number>(
    "int poll(void *descriptors, unsigned long count, int timeout)",
  ),
  flock: declare<[number, number], number>("int flock(int fd, int operation)"),
  signal: declare<[number, bigint], bigint>("intptr_t signal(int number, intptr_t handler)"),
  ioctl: declare<[number, number, Pointer], number>(
    "int ioctl(int fd, unsigned long request, void *argument)",
  ),
  pidfdOpen: declare<[number, number, number], number>(
    "long syscall(long number, int pid, unsigned int flags)",
  ),
  execvp: declare<[string, (string | null)[]], number>("int execvp(const char *file, const char **argv)"),
};

/** Of two names of one number, the ones that the kernel's sources do not use. */
const SYNONYMS: ReadonlySet<string> = new Set(["EWOULDBLOCK", "ENOTSUP"]);
const errnoNames = new Map(
  Object.entries(constants.errno).flatMap(([name, number]) => (SYNONYMS.has(name) ? [] : [[number, name]])),
);

/** `EEXIST` for 17; `errno 524` for a number without a name in user space. */
export function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

/**
 * The error of a system call: `open netlink socket: EPERM: not permitted`. The hint says to run as root if the privilege is
 * missing.
 */
export function syscallError(attempt: string, errno: string): KernelError {
  const isDenied = errno === "EPERM" || errno === "EACCES";
  const hint = isDenied ? { hint: "run as root" } : {};
  return new KernelError(codeOfErrno(errno), `${attempt}: ${errno}${isDenied ? ": not permitted" : ""}`, {
    errno,
    ...(isDenied && { words: "not permitted" }),
    ...hint,
  });
}

function check(result: number, attempt: () => string): number {
  if (result < 0) throw syscallError(attempt(), lastErrno());
  return result;
}

function lastErrno(): string {
  return errnoName(koffi?.errno() ?? 0);
}

/**
 * The open sockets and namespaces of this thread, visible to a thread that outlives it. They are not closed when a worker
 * dies, and would keep a namespace alive. Each slot holds a descriptor, or 0.
 */
let ledger: Int32Array | undefined;

/** From now on this thread records its descriptors in `slots`, which must be shared memory. */
export function keepLedger(slots: Int32Array): void {
  ledger = slots;
}

/** Records the descriptor, so that it is closed if this thread dies before it calls `close`. */
export function adopt(fd: number): number {
  const slot = ledger?.indexOf(0) ?? -1;
  if (ledger && slot >= 0) ledger[slot] = fd;
  return fd;
}

function leave(fd: number): void {
  const slot = ledger?.indexOf(fd) ?? -1;
  if (ledger && slot >= 0) ledger[slot] = 0;
}

/** socket(2), close-on-exec, in the current namespace of the thread. The socket stays in that namespace, on any thread. */
export function socket(domain: number, type: number, protocol: number): number {
  return adopt(
    check(native.socket()(domain, type | SOCK_CLOEXEC, protocol), () => `open socket of family ${domain}`),
  );
}

/** close(2) of a descriptor that came from `socket` or was passed to `adopt`. */
export function close(fd: number): void {
  leave(fd);
  check(native.close()(fd), () => `close descriptor ${fd}`);
}

export function bindSocket(fd: number, address: Uint8Array): void {
  check(native.bind()(fd, address, address.length), () => `bind descriptor ${fd}`);
}

/** Sends a whole datagram, or throws. */
export function send(fd: number, data: Uint8Array): void {
  check(native.sendto()(fd, data, data.length, 0, null, 0), () => `send ${data.length} bytes`);
}

/** Like `send`, in a thread of libuv's pool, for messages that block. `data` must not change until the promise settles. */
export function sendAsync(fd: number, data: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    native.sendto().async(fd, data, data.length, 0, null, 0, (error, result) => {
      if (error !== null && error !== undefined) reject(error);
      else if (result < 0) reject(syscallError(`send ${data.length} bytes`, lastErrno()));
      else resolve();
    });
  });
}

/** Receives one datagram, at most as long as `buffer`. `undefined` if there is none now (EAGAIN). */
export function receive(fd: number, buffer: Uint8Array): Uint8Array | undefined {
  return received(native.recv()(fd, buffer, buffer.length, MSG_DONTWAIT), buffer);
}

function received(length: number, buffer: Uint8Array): Uint8Array | undefined {
  if (length >= 0) return buffer.subarray(0, length);
  const errno = lastErrno();
  if (errno === "EAGAIN") return undefined;
  throw syscallError("receive", errno);
}

/**
 * recvmsg(2) into the buffers of `header`, a `struct msghdr`. Returns the filled part of `buffer`; `undefined` if there is
 * no message now (EAGAIN).
 */
export function receiveMessage(fd: number, header: Uint8Array, buffer: Uint8Array): Uint8Array | undefined {
  return received(native.recvmsg()(fd, header, MSG_DONTWAIT), buffer);
}

/** Sets a socket option that is an `int`. */
export function setSocketOption(fd: number, level: number, name: number, value: number): void {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  check(native.setsockopt()(fd, level, name, bytes, 4), () => `set socket option ${level}/${name}`);
}

/**
 * SO_BINDTODEVICE: packets leave by this device, and only packets that arrive there are received. ENODEV without the
 * device.
 */
export function bindToDevice(fd: number, device: string): void {
  const name = Buffer.from(`${device}\0`);
  check(
    native.setsockopt()(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length),
    () => `bind a socket to device ${device}`,
  );
}

/** SO_ATTACH_FILTER: the socket receives only what `program`, a `struct sock_filter[]`, accepts. */
export function attachFilter(fd: number, program: Uint8Array): void {
  const fprog = new Uint8Array(16);
  const view = new DataView(fprog.buffer);
  view.setUint16(0, program.length / 8, true);
  view.setBigUint64(8, pointerTo(program), true);
  check(native.setsockopt()(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, fprog.length), () => "attach a filter");
}

/** Reads a socket option of 8 bytes, such as SO_NETNS_COOKIE. */
export function socketOption64(fd: number, level: number, name: number): bigint {
  const value = new BigUint64Array(1);
  check(
    native.getsockopt()(fd, level, name, value, new Uint32Array([8])),
    () => `get socket option ${level}/${name}`,
  );
  return value[0] ?? 0n;
}

/** Reads a socket option of `size` bytes. */
export function socketOption(
  fd: number,
  { level, name, size }: { readonly level: number; readonly name: number; readonly size: number },
): Uint8Array {
  const value = new Uint8Array(size);
  check(
    native.getsockopt()(fd, level, name, value, new Uint32Array([size])),
    () => `get socket option ${level}/${name}`,
  );
  return value;
}

/** setns(2): moves the calling thread into the network namespace `fd`. Only `runIn` of netns.ts calls it. */
export function setNetns(fd: number): void {
  check(native.setns()(fd, CLONE_NEWNET), () => "enter network namespace");
}

/** unshare(2): moves the calling thread into a new network namespace. */
export function unshareNetns(): void {
  check(native.unshare()(CLONE_NEWNET), () => "make network namespace");
}

/** Equivalent to: `mount --bind SOURCE TARGET` */
export function bindMount(source: string, target: string): void {
  check(native.mount()(source, target, null, MS_BIND, null), () => `mount ${source} on ${target}`);
}

/** Equivalent to: `mount --make-rshared TARGET`. False if TARGET is not a mount. */
export function shareMount(target: string): boolean {
  if (native.mount()("", target, "none", MS_SHARED | MS_REC, null) === 0) return true;
  const errno = lastErrno();
  if (errno === "EINVAL") return false;
  throw syscallError(`share the mount ${target}`, errno);
}

/** Equivalent to: `mount --rbind TARGET TARGET` */
export function bindOnItself(target: string): void {
  const done = native.mount()(target, target, "none", MS_BIND | MS_REC, null);
  check(done, () => `mount ${target} on itself`);
}

/** unshare(2): moves the calling thread permanently into its own mount namespace, whose changes are private. */
export function unshareMounts(): void {
  check(native.unshare()(CLONE_NEWNS), () => "make mount namespace");
  check(native.mount()("", "/", "none", MS_PRIVATE | MS_REC, null), () => "make mounts private");
}

/** Equivalent to: `umount --lazy TARGET`. False if nothing is mounted there. */
export function unmount(target: string): boolean {
  if (native.umount2()(target, MNT_DETACH) === 0) return true;
  const errno = lastErrno();
  if (errno === "EINVAL" || errno === "ENOENT") return false;
  throw syscallError(`unmount ${target}`, errno);
}

/** The same numbers on every architecture: include/uapi/asm-generic/unistd.h since v5.2 */
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
/** include/uapi/linux/mount.h: FSOPEN_CLOEXEC and FSMOUNT_CLOEXEC, FSCONFIG_CMD_CREATE */
const MOUNT_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;

/** A new, private procfs that is mounted nowhere, as a descriptor of its root. Closing the descriptor removes it. */
export function openProcfs(): number {
  const attempt = (): string => "open a procfs";
  const context = check(native.fsopen()(SYS_FSOPEN, "proc", MOUNT_CLOEXEC), attempt);
  try {
    check(native.fsconfig()(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, null, null, 0), attempt);
    return adopt(check(native.fsmount()(SYS_FSMOUNT, context, MOUNT_CLOEXEC, 0), attempt));
  } finally {
    close(context);
  }
}

/** Equivalent to: `mount -t bpf bpf TARGET` */
export function mountBpffs(target: string): void {
  check(native.mount()("bpf", target, "bpf", 0, null), () => `mount a bpffs on ${target}`);
}

/** bpf(2) has no wrapper in libc. */
const SYS_BPF = process.arch === "arm64" ? 280 : 321;

/**
 * bpf(2): returns the result or a negative errno, which is often a useful answer. Memory that `attributes` points to must
 * stay referenced.
 */
export function bpf(command: number, attributes: Uint8Array): number {
  const result = native.bpf()(SYS_BPF, command, attributes, attributes.length);
  return result < 0 ? -(koffi?.errno() ?? 0) : result;
}

/** The address of `bytes`, for a pointer inside a structure. Valid while `bytes` is referenced. */
export function pointerTo(bytes: Uint8Array): bigint {
  native.bpf();
  return koffi?.address(bytes) ?? 0n;
}

/** epoll_create1(2), close-on-exec. */
export function epollCreate(): number {
  return check(native.epollCreate1()(SOCK_CLOEXEC), () => "create an epoll descriptor");
}

/** epoll_ctl(2). `event` is a `struct epoll_event`: packed on x64, padded elsewhere. */
export function epollControl(epoll: number, operation: number, fd: number, event: Uint8Array): void {
  check(native.epollCtl()(epoll, operation, fd, event), () => `watch descriptor ${fd}`);
}

/** epoll_wait(2) without a time-out, in a thread of libuv's pool. 0 if a signal interrupted it, the only possible error. */
export function epollWait(epoll: number, events: Uint8Array, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    native.epollWait().async(epoll, events, count, -1, (error, result) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve(Math.max(0, result));
    });
  });
}

/** eventfd(2), close-on-exec and non-blocking. */
export function eventfd(): number {
  return check(native.eventfd()(0, SOCK_CLOEXEC | SOCK_NONBLOCK), () => "create an eventfd");
}

/** connect(2): sets the peer. `address` is a `struct sockaddr`. */
export function connectSocket(fd: number, address: Uint8Array): void {
  check(native.connect()(fd, address, address.length), () => `connect descriptor ${fd}`);
}

/** Passes the descriptor to another thread, which closes it: it survives the death of this one. */
export function handOver(fd: number): number {
  leave(fd);
  return fd;
}

/** poll(2) for input, in a thread of libuv's pool. False on time-out. */
export function waitReadable(fd: number, timeoutMs: number): Promise<boolean> {
  // struct pollfd: i32 fd | i16 events (POLLIN) | i16 revents
  const descriptor = new Uint8Array(8);
  const view = new DataView(descriptor.buffer);
  view.setInt32(0, fd, true);
  view.setInt16(4, 1, true);
  return new Promise((resolve, reject) => {
    native.poll().async(descriptor, 1, Math.max(0, Math.ceil(timeoutMs)), (error, result) => {
      if (error !== null && error !== undefined) reject(error);
      else resolve(result > 0);
    });
  });
}

/**
 * ioctl(2) with a `struct ifreq` as input and output: a query about a device in the socket's namespace. ENODEV without the
 * device.
 */
export function deviceRequest(fd: number, request: number, ifreq: Uint8Array): void {
  check(native.ioctl()(fd, request, ifreq), () => "ask a socket for a device");
}

/** The same number on every architecture: include/uapi/asm-generic/unistd.h since v5.3 */
const SYS_PIDFD_OPEN = 434;

/** pidfd_open(2), close-on-exec: refers to this process even after its ID is reused. */
export function pidfdOpen(pid: number): number {
  return check(native.pidfdOpen()(SYS_PIDFD_OPEN, pid, 0), () => `hold process ${pid}`);
}

/** A pidfd becomes readable when its process ends. */
export function hasEnded(pidfd: number): boolean {
  const descriptor = new Uint8Array(8);
  const view = new DataView(descriptor.buffer);
  view.setInt32(0, pidfd, true);
  view.setInt16(4, 1, true);
  return check(native.poll()(descriptor, 1, 0), () => "look at a process") > 0;
}

/** FIONCLEX clears close-on-exec, FIONBIO sets or clears O_NONBLOCK. include/uapi/asm-generic/ioctls.h */
const FIONCLEX = 0x5450;
const FIONBIO = 0x5421;

const LOCK_EX = 2;
const LOCK_NB = 4;

/** flock(2), exclusive, blocking. The kernel releases the lock when `fd` closes. */
export function waitForLock(fd: number): void {
  check(native.flock()(fd, LOCK_EX), () => `lock descriptor ${fd}`);
}

/**
 * flock(2), exclusive. False if another open file of this inode holds the lock. The kernel releases it when `fd` closes.
 */
export function lockFile(fd: number): boolean {
  if (native.flock()(fd, LOCK_EX | LOCK_NB) === 0) return true;
  const errno = lastErrno();
  if (errno === "EAGAIN") return false;
  throw syscallError(`lock descriptor ${fd}`, errno);
}

/**
 * execvp(3) in the network namespace `there`: this process becomes the program. Returns, in `home`, only if that fails:
 * with the errno.
 */
export function becomeProgram(
  netns: { readonly there: number; readonly home: number },
  argv: readonly string[],
): string {
  const execvp = native.execvp();
  // Node makes the standard streams close-on-exec and non-blocking; programs expect neither.
  for (const fd of [0, 1, 2]) {
    native.ioctl()(fd, FIONCLEX, null);
    native.ioctl()(fd, FIONBIO, new Uint32Array([0]));
  }
  // Node ignores these signals, and an ignored signal stays ignored in the program.
  const ignored = [constants.signals.SIGPIPE, constants.signals.SIGXFSZ];
  const before = ignored.map((signal) => native.signal()(signal, 0n));
  setNetns(netns.there);
  execvp(argv[0] ?? "", [...argv, null]);
  const errno = lastErrno();
  setNetns(netns.home);
  for (const [i, signal] of ignored.entries()) native.signal()(signal, before[i] ?? 0n);
  return errno;
}
