/**
 * Sockets by identity: `inode://device/inode` of the file that a socket is bound to. Upstream's programs register so and
 * send a descriptor of the file along, which Node.js does not take; who is on the same host finds the file by looking.
 * Upstream: sdk/pkg/registry/common/{sendfd,recvfd}
 */
import { closeSync, fstatSync, openSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { NetloomError } from "../errors/errors.ts";

/** `__SO_ACCEPTCON` of a listening socket, as proc_pid_net(5) prints the flags of /proc/PID/net/unix. */
const LISTENING = "00010000";

export function isSocketIdentity(url: string): boolean {
  return /^inode:\/\/[0-9]{1,20}\/[0-9]{1,20}$/.test(url);
}

/** `O_PATH` (include/uapi/asm-generic/fcntl.h): a descriptor of the file itself, whatever it is. */
const O_PATH = 0o10000000;

/** A path under which this process reaches a socket, and the function that lets it go. */
interface Held {
  readonly path: string;
  readonly release: () => void;
}

/** The sockets that this process holds. */
export class HeldSockets {
  readonly #held = new Map<string, { readonly descriptor: number; users: number }>();

  /**
   * Finds the socket, in whichever network and mount namespace it was bound, and holds its file: as long as anybody does,
   * no other socket gets its inode, and it is reached whatever becomes of the process or the path through which it was
   * found. UNAVAILABLE if nobody listens on such a file. The first one to hold it reads /proc, which takes milliseconds.
   */
  hold(url: string): Held {
    const held = this.#held.get(url) ?? { descriptor: openSocket(url), users: 0 };
    this.#held.set(url, held);
    held.users += 1;
    let isReleased = false;
    const release = (): void => {
      if (isReleased) return;
      isReleased = true;
      held.users -= 1;
      if (held.users > 0) return;
      this.#held.delete(url);
      closeSync(held.descriptor);
    };
    return { path: `/proc/self/fd/${held.descriptor}`, release };
  }
}

function openSocket(url: string): number {
  const [, device = "", inode = ""] = /^inode:\/\/(\d+)\/(\d+)$/.exec(url) ?? [];
  for (const place of places()) {
    for (const path of listeningPaths(place)) {
      const descriptor = openIf(`${place}/root${path}`, { device: BigInt(device), inode: BigInt(inode) });
      if (descriptor !== undefined) return descriptor;
    }
  }
  throw new NetloomError("UNAVAILABLE", `call ${url}: no process of this host listens on that file`, {
    hint: "has the endpoint ended? Can this process see all processes of the host?",
  });
}

/** One process of each pair of a network and a mount namespace. */
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
    // It has ended, or is not ours to see.
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

/** A descriptor of the file at `path`, if that is the one. */
function openIf(
  path: string,
  { device, inode }: { readonly device: bigint; readonly inode: bigint },
): number | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(path, O_PATH);
  } catch {
    // It has gone meanwhile.
    return undefined;
  }
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  if (dev === device && ino === inode) return descriptor;
  closeSync(descriptor);
  return undefined;
}
