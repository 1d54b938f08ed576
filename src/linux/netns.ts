/**
 * Network namespaces, entered and found. There is one primitive, `runIn`, for one thread, the kernel worker: whatever
 * starts inside of the window (a thread, a socket of Node, a pool) would stay in the namespace for ever, so nothing
 * asynchronous may.
 */
import assert from "node:assert/strict";
import { constants, fstatSync, openSync, readdirSync, statSync } from "node:fs";
import { isMainThread } from "node:worker_threads";
import { KernelError, type Netns, type NetnsIdentity } from "../world/kernel.ts";
import { NetlinkSocket } from "./netlink-socket.ts";
import { adopt, close, setNetns, syscallError } from "./syscall.ts";

export type Identity = NetnsIdentity["netns"];

/** An open namespace. It cannot die before `close`. */
export interface OpenNetns {
  readonly fd: number;
  readonly identity: Identity;
  close(): void;
}

/** The namespace of this thread, at the first use. */
let home: number | undefined;
let isAway = false;

/**
 * Runs `action` with this thread in the namespace `fd`. The thread is back when this returns or throws; if the way back
 * is barred, the thread ends, because all that it would do next would be done in the wrong place.
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

/** Opens the namespace at a path. `netns` is how the error names it. NOT_FOUND if there is none. */
export function openPath(path: string, netns: string = `file://${path}`): OpenNetns {
  const attempt = `open network namespace ${netns}`;
  let fd: number;
  try {
    fd = adopt(openSync(path, constants.O_RDONLY | constants.O_NONBLOCK));
  } catch (error) {
    throw unopened(attempt, path, (error as NodeJS.ErrnoException).code ?? "EIO", error);
  }
  const stat = fstatSync(fd, { bigint: true });
  if (stat.dev !== nsfsDevice()) {
    close(fd);
    throw notFound(attempt, "no network namespace is mounted there");
  }
  return { fd, identity: `inode://${stat.dev}/${stat.ino}`, close: () => close(fd) };
}

/** What tells a namespace from a later one with the same inode. */
function cookieOf(netns: OpenNetns): string {
  const socket = runIn(netns.fd, () => NetlinkSocket.open());
  try {
    return socket.netnsCookie();
  } finally {
    socket.close();
  }
}

/** Identity of the namespace at a path, without opening it. `undefined` if there is none. */
export function identityAt(path: string): Identity | undefined {
  try {
    const stat = statSync(path, { bigint: true });
    return stat.dev === nsfsDevice() ? `inode://${stat.dev}/${stat.ino}` : undefined;
  } catch {
    return undefined;
  }
}

function nsfsDevice(): bigint {
  return statSync("/proc/self/ns/net", { bigint: true }).dev;
}

function unopened(attempt: string, path: string, errno: string, cause: unknown): KernelError {
  if (errno !== "ENOENT" && errno !== "ESRCH" && errno !== "ENOTDIR") return syscallError(attempt, errno);
  const pid = /^\/proc\/(\d+)\//.exec(path)?.[1];
  const reason = pid === undefined ? "there is no such file" : `there is no process ${pid}`;
  return notFound(attempt, reason, cause);
}

function notFound(attempt: string, reason: string, cause?: unknown): KernelError {
  return new KernelError("NOT_FOUND", `${attempt}: ENOENT: ${reason}`, { errno: "ENOENT", cause });
}

/** Every place where a namespace may be found by a path, the one where it was found last first: it is hardly ever elsewhere. */
function* pathsOf(known: Found | undefined): Generator<string> {
  if (known) yield known.path;
  for (const name of list("/run/netns")) yield `/run/netns/${name}`;
  for (const name of list("/proc")) if (/^\d+$/.test(name)) yield `/proc/${name}/ns/net`;
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}

export interface Found {
  readonly path: string;
  readonly cookie: string;
}

/** Where each identity was last found. Holds paths, no descriptors. */
export class NetnsTable {
  readonly #found = new Map<Identity, Found>();

  /** Opens what `netns` names now. `hostPath` is where `host` is. NOT_FOUND with the reason. */
  open(netns: Netns, hostPath: string): OpenNetns {
    if (netns === "host") return openPath(hostPath, "host");
    if (netns.startsWith("file:///")) return openPath(netns.slice("file://".length), netns);
    if (/^inode:\/\/\d+\/\d+$/.test(netns)) return this.#openIdentity(netns as Identity);
    throw new KernelError(
      "INVALID_ARGUMENT",
      `open network namespace ${netns}: neither host nor file:///path nor inode://device/inode`,
    );
  }

  /** Notes that a namespace is found at `path`: what was known may be of an earlier one with the same inode. */
  remember(identity: Identity, found: Found): void {
    this.#found.set(identity, found);
  }

  /** All that was found and not forgotten. */
  known(): Identity[] {
    return [...this.#found.keys()];
  }

  /** The namespace is gone. One that has got its inode since is kept. */
  forget(identity: Identity, cookie: string): void {
    if (this.#found.get(identity)?.cookie === cookie) this.#found.delete(identity);
  }

  #openIdentity(identity: Identity): OpenNetns {
    const known = this.#found.get(identity);
    for (const path of pathsOf(known)) {
      if (identityAt(path) !== identity) continue;
      const opened = this.#openIfSame(path, identity, known);
      if (opened) return opened;
    }
    throw notFound(`open network namespace ${identity}`, this.#whyGone(identity, known));
  }

  /** `undefined` if the path leads elsewhere by now, or to a later namespace with the same inode. */
  #openIfSame(path: string, identity: Identity, known: Found | undefined): OpenNetns | undefined {
    let opened: OpenNetns;
    try {
      opened = openPath(path, identity);
    } catch (error) {
      if (error instanceof KernelError && error.code === "NOT_FOUND") return undefined;
      throw error;
    }
    try {
      if (opened.identity === identity) {
        const cookie = cookieOf(opened);
        if (!known || known.cookie === cookie) {
          this.remember(identity, { path, cookie });
          return opened;
        }
      }
    } catch (error) {
      opened.close();
      throw error;
    }
    opened.close();
    return undefined;
  }

  #whyGone(identity: Identity, known: Found | undefined): string {
    if (!known) return "found neither below /run/netns nor in any process";
    const now = identityAt(known.path);
    const isProcess = known.path.startsWith("/proc/");
    if (now === undefined)
      return `it was found at ${known.path}, which is gone: ${isProcess ? "the process ended" : "it was removed"}`;
    const why = isProcess ? "the process ended and its number was reused" : "it was removed and made anew";
    const where = now === identity ? "a later namespace with the same inode" : "another namespace";
    return `it was found at ${known.path}, which now leads to ${where}: ${why}`;
  }
}
