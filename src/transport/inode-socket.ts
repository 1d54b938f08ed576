/**
 * Sockets by identity: `inode://device/inode` of the file that a socket is bound to. Upstream's programs register so and
 * send a descriptor of the file along, which Node.js does not take; who is on the same host finds the file by looking.
 * Upstream: sdk/pkg/registry/common/{sendfd,recvfd}
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { NetloomError } from "../world/errors.ts";

/** `__SO_ACCEPTCON` of a listening socket, as proc_pid_net(5) prints the flags of /proc/PID/net/unix. */
const LISTENING = "00010000";

export function isSocketIdentity(url: string): boolean {
  return /^inode:\/\/[0-9]{1,20}\/[0-9]{1,20}$/.test(url);
}

/**
 * A path under which this process reaches the socket, in whichever network and mount namespace it was bound.
 * UNAVAILABLE if nobody listens on such a file. Reads /proc, so it takes milliseconds.
 */
export function findSocket(url: string): string {
  const [, device = "", inode = ""] = /^inode:\/\/(\d+)\/(\d+)$/.exec(url) ?? [];
  for (const place of places()) {
    for (const path of listeningPaths(place)) {
      const reached = `${place}/root${path}`;
      if (isFile(reached, { device: BigInt(device), inode: BigInt(inode) })) return reached;
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

function isFile(
  path: string,
  { device, inode }: { readonly device: bigint; readonly inode: bigint },
): boolean {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return dev === device && ino === inode;
  } catch {
    return false;
  }
}
