/** The sockets on which listeners listen. */
import { lstat, stat, unlink } from "node:fs/promises";
import { connect, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { type ErrorCode, NetloomError } from "../errors/errors.ts";
import type { Origin, UnixCredentials } from "../world/peer.ts";
import type { ListenAddress } from "./url.ts";

/** Read and write for owner and group: members of its group may use the socket. */
const SOCKET_UMASK = 0o117;

/**
 * Binds `server`. A socket file on which nobody listens, as a killed process leaves it, is replaced. ALREADY_EXISTS if
 * a process listens there, NOT_FOUND without its folder, PERMISSION_DENIED, INVALID_ARGUMENT for an address that this
 * host does not have.
 */
export async function bind(server: Server, url: string, address: ListenAddress): Promise<void> {
  if (address.kind === "unix") {
    await requireFolder(url, dirname(address.path));
    await removeStaleSocket(url, address.path);
  }
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(refusal(url, error)));
    if (address.kind === "tcp") {
      server.listen({ host: address.host, port: address.port }, resolve);
      return;
    }
    // The file is made inside of `listen`, so it never has other permissions.
    const previous = process.umask(SOCKET_UMASK);
    try {
      server.listen({ path: address.path }, resolve);
    } finally {
      process.umask(previous);
    }
  });
}

/** Asks the kernel for the process at the other end of a unix socket, by the descriptor of this end. It may throw. */
export type ReadUnixCredentials = (descriptor: number) => UnixCredentials;

/**
 * The origin of `socket`; `number` distinguishes the connections of one listener. `undefined` if the kernel no longer
 * identifies the peer.
 */
export function originOf(
  socket: Socket,
  {
    address,
    number,
    read,
  }: {
    readonly address: ListenAddress;
    readonly number: number;
    readonly read: ReadUnixCredentials | undefined;
  },
): { readonly origin: Origin; readonly connection: string } | undefined {
  if (address.kind === "unix") {
    const connection = `unix#${number}`;
    if (!read) return { origin: { kind: "unix" }, connection };
    const credentials = credentialsOf(socket, read);
    return credentials && { origin: { kind: "unix", credentials }, connection };
  }
  // A listener on [::] sees peers with IPv4 in this form (RFC 4291 section 2.5.5.2).
  const ip = (socket.remoteAddress ?? "unknown").replace(/^::ffff:(?=[0-9.]+$)/, "");
  return {
    origin: { kind: "address", address: ip },
    connection: `tcp:${ip}:${socket.remotePort ?? 0}#${number}`,
  };
}

function credentialsOf(socket: Socket, read: ReadUnixCredentials): UnixCredentials | undefined {
  const descriptor = descriptorOf(socket);
  try {
    return descriptor === undefined ? undefined : read(descriptor);
  } catch {
    return undefined;
  }
}

/**
 * The descriptor of a socket; `undefined` if it is closed. Node exposes it only to its own code. Without a descriptor
 * the peer is refused.
 */
export function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as unknown as { readonly _handle?: { readonly fd?: number } | null };
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined;
}

/**
 * NOT_FOUND if the folder is missing. Without this check `bind` reports EACCES in Node.js, which is the wrong reason.
 */
async function requireFolder(url: string, folder: string): Promise<void> {
  const isFolder = await stat(folder).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (isFolder) return;
  throw new NetloomError("NOT_FOUND", `listen on ${url}: ENOENT: there is no folder ${folder}`, {
    hint: `make it first: mkdir -p ${folder}`,
  });
}

async function removeStaleSocket(url: string, path: string): Promise<void> {
  const answer = await new Promise<string>((resolve) => {
    const probe = connect(path);
    probe.once("connect", () => {
      probe.destroy();
      resolve("alive");
    });
    probe.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? "unknown"));
  });
  if (answer === "alive") throw inUse(url);
  if (answer !== "ECONNREFUSED") return;
  // A file of another kind also refuses connections, and must not be removed.
  if (!(await isSocket(path)))
    throw new NetloomError(
      "ALREADY_EXISTS",
      `listen on ${url}: EADDRINUSE: ${path} is there, and no socket`,
      {
        topic: "NL-702",
        hint: "name another path; a socket is made, not a file that is there",
      },
    );
  await unlink(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw refusal(url, error);
  });
}

async function isSocket(path: string): Promise<boolean> {
  try {
    return (await lstat(path)).isSocket();
  } catch {
    return false;
  }
}

function inUse(url: string, cause?: unknown): NetloomError {
  return new NetloomError("ALREADY_EXISTS", `listen on ${url}: EADDRINUSE: somebody else is there`, {
    topic: "NL-702",
    cause,
    hint: "end the other process, or choose another address",
  });
}

function refusal(url: string, error: NodeJS.ErrnoException): NetloomError {
  const fail = (code: ErrorCode, why: string, hint?: string): NetloomError =>
    new NetloomError(code, `listen on ${url}: ${error.code}: ${why}`, {
      cause: error,
      hint,
    });
  switch (error.code) {
    case "EADDRINUSE":
      return inUse(url, error);
    case "EACCES":
    case "EPERM":
      return fail("PERMISSION_DENIED", "this process may not listen there");
    case "EADDRNOTAVAIL":
      return fail("INVALID_ARGUMENT", "the address is none of this host", "see: ip address");
    case undefined:
    default:
      return fail("INTERNAL", error.message);
  }
}
