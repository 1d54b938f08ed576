/** Listener and peer addresses: `unix:///path`, `tcp://10.0.0.1:5001`, `tcp://[2001:db8::1]:5001`. */
import { parseIp } from "../net/ip.ts";
import { NetloomError } from "../errors/errors.ts";
import { isSocketIdentity } from "./inode-socket.ts";

/** `sockaddr_un.sun_path` of Linux, without its terminating zero (include/uapi/linux/un.h). */
const MAX_PATH_BYTES = 107;

export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number };

/** INVALID_ARGUMENT for anything that is not one of the forms above. */
export function parseAddress(url: string): Address {
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
  if (tcp && parseIp(host) && written.startsWith("[") === host.includes(":") && port <= 65_535) {
    return { kind: "tcp", host, port };
  }
  throw new NetloomError(
    "INVALID_ARGUMENT",
    `use address ${JSON.stringify(url)}: it is neither a socket nor an IP address with a port`,
    {
      hint: "write unix:///run/netloom/agent.sock, tcp://10.0.0.1:5001 or tcp://[2001:db8::1]:5001",
    },
  );
}

/** Whether `url` can be called: an address, or a socket's identity. INVALID_ARGUMENT if not. */
export function checkTarget(url: string): void {
  if (!isSocketIdentity(url)) parseAddress(url);
}

/** The name of an address in gRPC's grammar (https://github.com/grpc/grpc/blob/master/doc/naming.md). */
export function grpcTarget(url: string): string {
  const address = parseAddress(url);
  if (address.kind === "unix") return `unix:${address.path}`;
  const { host, port } = address;
  return host.includes(":") ? `ipv6:[${host}]:${port}` : `ipv4:${host}:${port}`;
}
