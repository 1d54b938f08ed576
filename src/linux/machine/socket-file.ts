/**
 * Finds sockets by identity: device and inode of the file that a socket is bound to. Upstream's programs register in this
 * way and send a descriptor of the file along, which Node.js cannot receive; a process on the same host can search for the
 * file instead.
 * Upstream: sdk/pkg/registry/common/{sendfd,recvfd}
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { KernelError } from "../../kernel/kernel.ts";
import { adopt } from "../libc/syscall.ts";

/** `__SO_ACCEPTCON`, the flag of a listening socket in /proc/PID/net/unix, proc_pid_net(5). */
const LISTENING = "00010000";

/** `O_PATH` (include/uapi/asm-generic/fcntl.h): opens a descriptor of the file itself, whatever its type. */
const O_PATH = 0o10000000;

/**
 * A descriptor of the file `inode://device/inode`. NOT_FOUND if nothing listens on it. Reads /proc, which takes
 * milliseconds.
 */
export function openSocketFile(identity: string): number {
  const [, device, inode] = /^inode:\/\/(\d+)\/(\d+)$/.exec(identity) ?? [];
  if (device === undefined || inode === undefined)
    throw new KernelError("INVALID_ARGUMENT", `find socket ${identity}: no inode://device/inode`);
  const wanted = { device: BigInt(device), inode: BigInt(inode) };
  for (const place of places()) {
    for (const path of listeningPaths(place)) {
      const descriptor = openIf(`${place}/root${path}`, wanted);
      if (descriptor !== undefined) return adopt(descriptor);
    }
  }
  throw new KernelError(
    "NOT_FOUND",
    `find socket ${identity}: no process of this host listens on that file`,
    {
      hint: "has the endpoint ended? Can this process see all processes of the host?",
    },
  );
}

/** One process for each combination of a network and a mount namespace. */
function* places(): Generator<string> {
  const seen = new Set<string>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const place = `/proc/${name}`;
    const pair = namespacesOf(place);
    if (pair === undefined || seen.has(pair)) continue;
    seen.add(pair);
    yield place;
  }
}

function namespacesOf(place: string): string | undefined {
  try {
    return `${readlinkSync(`${place}/ns/net`)} ${readlinkSync(`${place}/ns/mnt`)}`;
  } catch {
    // The process has ended, or is hidden from this one.
    return undefined;
  }
}

function listeningPaths(place: string): string[] {
  try {
    return readFileSync(`${place}/net/unix`, "utf8")
      .split("\n")
      .flatMap((line) => {
        const [, flags, path] = /^\S+ \S+ \S+ (\S+) \S+ \S+ +\S+ (\/.*)$/.exec(line) ?? [];
        return flags === LISTENING && path !== undefined ? [path] : [];
      });
  } catch {
    return [];
  }
}

/** A descriptor of the file at `path`, if device and inode match. */
function openIf(
  path: string,
  { device, inode }: { readonly device: bigint; readonly inode: bigint },
): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, O_PATH);
  } catch {
    // The file has vanished meanwhile.
    return undefined;
  }
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  if (dev === device && ino === inode) return descriptor;
  closeSync(descriptor);
  return undefined;
}
