/**
 * Opens and enters network namespaces. The only primitive is `runIn`, for one thread, the kernel worker. A thread, a socket
 * of Node or a pool started inside would stay in the namespace for ever, so nothing asynchronous may run inside.
 */
import assert from "node:assert/strict";
import { constants, fstatSync, openSync, statSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { KernelError, type Netns, type NetnsIdentity } from "../../kernel/kernel.ts";
import { NetlinkSocket } from "../netlink/netlink-socket.ts";
import { adopt, close, setNetns, syscallError } from "../libc/syscall.ts";

export type NetnsInode = NetnsIdentity["netns"];

/** An open namespace, with a netlink socket in it once one is needed. The namespace stays alive until it is closed. */
export class OpenNetns {
  readonly fd: number;
  readonly identity: NetnsInode;
  #users = 1;
  #socket: NetlinkSocket | undefined;
  #cookie: string | undefined;
  #onEnd: (() => void) | undefined;

  /** Takes ownership of the descriptor. */
  constructor(fd: number, identity: NetnsInode) {
    this.fd = fd;
    this.identity = identity;
  }

  get socket(): NetlinkSocket {
    this.#socket ??= runIn(this.fd, () => NetlinkSocket.open());
    return this.#socket;
  }

  /** Unique until the next boot, unlike the inode. */
  get cookie(): string {
    this.#cookie ??= this.socket.netnsCookie();
    return this.#cookie;
  }

  /** Adds a user, who must also call `close`. */
  again(): this {
    this.#users += 1;
    return this;
  }

  /** Calls `action` when the last user has closed it. */
  onEnd(action: () => void): void {
    this.#onEnd = action;
  }

  close(): void {
    this.#users -= 1;
    if (this.#users > 0) return;
    this.#onEnd?.();
    this.#socket?.close();
    close(this.fd);
  }
}

/** The namespace of this thread, opened on first use. */
let home: number | undefined;
let isAway = false;

/**
 * Runs `action` with this thread in the namespace `fd`. The thread is back when this function returns or throws. If it
 * cannot return, the thread ends, because all further work would happen in the wrong namespace.
 */
export function runIn<T>(fd: number, action: () => T): T {
  assert(!isMainThread, "only the kernel worker enters namespaces");
  assert(!isAway, "a namespace is entered inside of another");
  home ??= openSync("/proc/thread-self/ns/net", constants.O_RDONLY);
  setNetns(fd);
  isAway = true;
  let result: T;
  try {
    result = action();
  } finally {
    try {
      setNetns(home);
      isAway = false;
    } catch (error) {
      process.stderr.write(`kernel worker: no way back to its own network namespace: ${String(error)}\n`);
      process.exit(70);
    }
  }
  assert(
    typeof (result as { then?: unknown } | undefined)?.then !== "function",
    "what runs inside of a namespace must be synchronous",
  );
  return result;
}

/** Opens the namespace at a path. `netns` is its name in errors. NOT_FOUND if there is none. */
export function openPath(path: string, netns: Netns = `file://${path}`): OpenNetns {
  let fd: number;
  try {
    fd = adopt(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch (error) {
    throw unopened(netns, path, (error as NodeJS.ErrnoException).code ?? "EIO", error);
  }
  const stat = fstatSync(fd, { bigint: true });
  if (stat.dev !== nsfsDevice()) {
    close(fd);
    throw notFound(netns, "no network namespace is mounted there");
  }
  return new OpenNetns(fd, `inode://${stat.dev}/${stat.ino}`);
}

/** Identity of the namespace at a path, without opening it. `undefined` if there is none. */
export function identityAt(path: string): NetnsInode | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return stat.dev === nsfsDevice() ? `inode://${stat.dev}/${stat.ino}` : undefined;
  } catch {
    return undefined;
  }
}

/** The device number of the file system of all namespaces. */
let nsfs: bigint | undefined;

function nsfsDevice(): bigint {
  nsfs ??= statSync("/proc/self/ns/net", { bigint: true }).dev;
  return nsfs;
}

function unopened(netns: Netns, path: string, errno: string, cause: unknown): KernelError {
  if (errno !== "ENOENT" && errno !== "ESRCH" && errno !== "ENOTDIR")
    return syscallError(opening(netns), errno);
  const pid = /^\/proc\/(\d+)\//.exec(path)?.[1];
  const reason = pid === undefined ? "there is no such file" : `there is no process ${pid}`;
  return notFound(netns, reason, cause);
}

/** The error for a missing namespace. */
export function notFound(netns: Netns, words: string, cause?: unknown): KernelError {
  const message = `${opening(netns)}: ENOENT: ${words}`;
  return new KernelError("NOT_FOUND", message, { errno: "ENOENT", words, at: { netns }, cause });
}

function opening(netns: Netns): string {
  return `open network namespace ${netns}`;
}
