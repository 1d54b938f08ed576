/**
 * Addresses of listeners: `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001`. A target may also be a
 * name: `tcp://alpha.example:5001`.
 */
import { promises as dns } from "node:dns";
import { isHostName } from "../net/host-name.ts";
import { canonicalIp, parseIp } from "../net/ip.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Origin } from "../world/peer.ts";
import { isSocketIdentity } from "./inode-socket.ts";

/** `sockaddr_un.sun_path` of Linux, without its terminating zero (include/uapi/linux/un.h). */
const MAX_PATH_BYTES = 107;

export type ListenAddress =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** Reads the address of a listener. INVALID_ARGUMENT for anything else. */
export function parseAddress(url: string): ListenAddress {
  const address = readUrl(url);
  if (address && (address.kind === "unix" || parseIp(address.host))) return address;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `use address ${JSON.stringify(url)}: it is neither a socket nor an IP address with a port`,
    { hint: "write unix:///run/netloom/agent.sock, tcp://10.0.0.1:5001 or tcp://[2001:db8::1]:5001" },
  );
}

/** Reads the address of a target: `host` may be a name. */
function parseTarget(url: string): ListenAddress {
  const address = readUrl(url);
  if (address) return address;
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `use address ${JSON.stringify(url)}: it is neither a socket nor a host with a port`,
    { hint: "write unix:///run/netloom/agent.sock, tcp://10.0.0.1:5001 or tcp://alpha.example:5001" },
  );
}

function readUrl(url: string): ListenAddress | undefined {
  if (url.startsWith("unix:///") && url.length > "unix:///".length && !url.includes("\0")) {
    const path = url.slice("unix://".length);
    if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return { kind: "unix", path };
    throw new NetloomError(
      "INVALID_ARGUMENT",
      `use address ${JSON.stringify(url)}: the path of a socket has at most ${MAX_PATH_BYTES} bytes`,
    );
  }
  const tcp = /^tcp:\/\/(\[[^\]]*\]|[^:[\]]*):([0-9]{1,5})$/.exec(url);
  const written = tcp?.[1] ?? "";
  const host = written.replace(/^\[|\]$/g, "");
  const port = Number(tcp?.[2]);
  const isAddress = parseIp(host) !== undefined && written.startsWith("[") === host.includes(":");
  return tcp && port <= 65_535 && (isAddress || isHostName(written))
    ? { kind: "tcp", host, port }
    : undefined;
}

/** Checks that `url` can be called: an address, a name, or a socket's identity. INVALID_ARGUMENT if not. */
export function checkTarget(url: string): void {
  if (!isSocketIdentity(url)) parseTarget(url);
}

/** The target of an address in gRPC's grammar (https://github.com/grpc/grpc/blob/master/doc/naming.md). */
export function grpcTarget(url: string): string {
  const address = parseTarget(url);
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  const family = parseIp(host)?.family;
  if (family === undefined) return `dns:${host}:${port}`;
  return family === 6 ? `ipv6:[${host}]:${port}` : `ipv4:${host}:${port}`;
}

/** The current addresses of `url`; none for a socket. UNAVAILABLE for an unknown name. */
export async function addressesOf(url: string): Promise<string[]> {
  if (isSocketIdentity(url)) return [];
  const address = parseTarget(url);
  if (address.kind === "unix") return [];
  if (parseIp(address.host)) return [canonicalIp(address.host)];
  try {
    return (await dns.lookup(address.host, { all: true })).map((found) => canonicalIp(found.address));
  } catch (error) {
    throw new NetloomError("UNAVAILABLE", `look up ${address.host}: ${(error as Error).message}`, {
      cause: error,
      topic: "NL-701",
      hint: "is the name in /etc/hosts, or known to the name server?",
    });
  }
}

/** The origin of a peer that proves nothing, from the URL it was dialled at: a name is as good as an address. */
export function originAt(url: string): Origin {
  const address = parseTarget(url);
  return address.kind === "unix" ? { kind: "unix" } : { kind: "address", address: address.host };
}
