/** Opens files for a request, in the kernel worker. The descriptor belongs to the requesting thread from then on. */
import { openSync } from "node:fs";
import { KernelError, type Netns } from "../../kernel/kernel.ts";
import type { Need, Privileged, SocketKind } from "../../kernel/privileged.ts";
import { descriptor } from "../libc/descriptor.ts";
import type { NetnsTable } from "../namespaces/netns-table.ts";
import { runIn } from "../namespaces/netns.ts";
import { openSocketFile } from "./socket-file.ts";
import {
  adopt,
  close,
  connectSocket,
  handOver,
  pidfdOpen,
  socket,
  SOCK_STREAM,
  syscallError,
} from "../libc/syscall.ts";

/** Needs that require no namespace. */
type OutsideNeed = Exclude<Need, { readonly netns: Netns }>;

export function openNeed(need: Need, table: NetnsTable): number {
  if (need.type === "netns") return handOver(openNetns(need.netns, table));
  if (need.type === "socket") return handOver(openSocket(need.netns, need.kind, table));
  return openOutside(need);
}

function openOutside(need: OutsideNeed): number {
  if (need.type === "process") return handOver(openProcess(need.pid));
  if (need.type === "connection") return handOver(openConnection(need.path));
  return handOver(openSocketFile(need.identity));
}

/** Opens files in this thread, for programs that have the privileges but no worker. */
export const OWN: Pick<Privileged, "open"> = {
  open: async (need) => {
    if ("netns" in need) throw new TypeError("only the kernel worker enters namespaces");
    return descriptor(openOutside(need));
  },
};

/** A new descriptor: the descriptors of the table are shared, and closed with the request. */
function openNetns(netns: Netns, table: NetnsTable): number {
  const place = table.open(netns);
  try {
    return adopt(openSync(`/proc/self/fd/${place.fd}`, "r"));
  } finally {
    place.close();
  }
}

/** EINVAL: the ID belongs to a thread, not to a process. */
function openProcess(pid: number): number {
  try {
    return adopt(pidfdOpen(pid));
  } catch (error) {
    if (error instanceof KernelError && ["NOT_FOUND", "INVALID_ARGUMENT"].includes(error.code))
      throw new KernelError("NOT_FOUND", `hold process ${pid}: there is no such process`, { cause: error });
    throw error;
  }
}

function openSocket(netns: Netns, { domain, type, protocol }: SocketKind, table: NetnsTable): number {
  const place = table.open(netns);
  try {
    return runIn(place.fd, () => socket(domain, type, protocol));
  } finally {
    place.close();
  }
}

const AF_UNIX = 1;
/** Length of `sun_path`, including its final zero. unix(7) */
const PATH_BYTES = 108;

function openConnection(path: string): number {
  const attempt = `connect to ${path}`;
  const name = Buffer.from(path);
  if (!path.startsWith("/") || name.length >= PATH_BYTES || name.includes(0))
    throw new KernelError("INVALID_ARGUMENT", `${attempt}: no path of a unix socket`);
  const address = new Uint8Array(2 + PATH_BYTES);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(name, 2);
  const fd = socket(AF_UNIX, SOCK_STREAM, 0);
  try {
    connectSocket(fd, address);
    return fd;
  } catch (error) {
    close(fd);
    const errno = error instanceof KernelError ? error.errno : undefined;
    if (errno === "ECONNREFUSED")
      throw new KernelError("UNAVAILABLE", `${attempt}: nobody listens there`, { cause: error });
    throw errno === undefined ? error : syscallError(attempt, errno);
  }
}
