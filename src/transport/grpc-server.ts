/** A listener for gRPC. */
import {
  Metadata,
  type sendUnaryData,
  Server,
  ServerCredentials,
  type ServerOptions,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import { createServer, type Socket } from "node:net";
import { serveAll, type Served } from "../api/rpc.ts";
import { NetloomError } from "../errors/errors.ts";
import type { Watch } from "../async/watch.ts";
import type { Scope } from "../async/scope.ts";
import { type Clock } from "../async/clock.ts";
import { type Handler, type IncomingMessage, MAX_MESSAGE_BYTES } from "../world/hops.ts";
import { fromMetadata, toMetadata } from "./grpc-metadata.ts";
import { plainPeer } from "../world/peer.ts";
import type { Credentials } from "../world/credentials.ts";
import { guardedHttp2, takeConnection } from "./guarded-http2.ts";
import { Handshakes } from "./handshake.ts";
import { PacedSocket } from "./paced-socket.ts";
import { PeerBook, type PeerConnection } from "./peer-book.ts";
import { MAX_CONNECTIONS, PEER_LIMITS, type PeerLimits } from "./peer-limits.ts";
import { bind, originOf, type ReadUnixCredentials } from "./socket.ts";
import type { Company } from "./time-share.ts";
import { toStatus } from "./status.ts";
import { parseAddress } from "./url.ts";

/** Time limit of a call without a deadline. */
const DEFAULT_TIMEOUT_MS = 60_000;

const OPTIONS: ServerOptions = {
  "grpc.max_receive_message_length": MAX_MESSAGE_BYTES,
  "grpc.max_send_message_length": MAX_MESSAGE_BYTES,
  "grpc.enable_channelz": 0,
  // A client that disappears is detected within 15 s.
  "grpc.keepalive_time_ms": 10_000,
  "grpc.keepalive_timeout_ms": 5_000,
};

type Call = ServerUnaryCall<Buffer, Uint8Array> | ServerWritableStream<Buffer, Uint8Array>;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const asIs = (buffer: Buffer): Buffer => buffer;

export interface ListenOptions {
  readonly clock: Clock;
  /** The scope of the calls. */
  readonly scope: Scope;
  /** Called with programmer's errors; the caller gets no details of them. */
  readonly onError: (error: unknown, method: string) => void;
  readonly log: (line: string) => void;
  readonly credentials: Credentials;
  /** Shared by all listeners of the process. */
  readonly company: Company;
  /** Default: the kernel is not asked for the peer's process on a unix socket. */
  readonly unixCredentials?: ReadUnixCredentials | undefined;
  /** Limits that differ from the usual ones. */
  readonly limits?: Partial<PeerLimits> | undefined;
  /** Called with the server before it listens, to add services that a `Handler` cannot offer. */
  readonly extend?: (server: Server) => void;
}

/** Listens; errors as in `bind`. The returned function ends all calls and the listener. */
export async function listen(
  url: string,
  handler: Handler,
  options: ListenOptions,
): Promise<() => Promise<void>> {
  const address = parseAddress(url);
  const grpc = new Server(OPTIONS);
  const { company, log } = options;
  const book = new PeerBook({ limits: { ...PEER_LIMITS, ...options.limits }, company, log });
  const listener = new Listener(handler, book, options, options.scope.child(`listener ${url}`));
  listener.register(grpc);
  options.extend?.(grpc);
  grpc.createConnectionInjector(ServerCredentials.createInsecure());
  const calls = new Set(handler.methods.flatMap(({ path, kind }) => (kind === "call" ? [path] : [])));
  const inject = guardedHttp2(grpc, { book, isWatch: (path) => !calls.has(path) });
  const handshakes = new Handshakes(options.credentials, book.limits.readTimeoutMs);
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    const from = originOf(socket, { address, number: connections++, read: options.unixCredentials });
    let connection = from && book.connect(plainPeer(from.origin, from.connection));
    if (!connection) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.once("close", () => {
      if (connection) book.disconnect(connection);
      sockets.delete(socket);
    });
    handshakes.accept(socket, (outcome) => {
      if (connection) connection = book.meet(connection, outcome);
      if (outcome instanceof NetloomError) return;
      if (!connection) {
        socket.destroy();
        return;
      }
      const paced = connection.account.time.wasSpent
        ? new PacedSocket(outcome.socket, connection)
        : outcome.socket;
      inject(paced, connection);
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  try {
    await bind(server, url, address);
  } catch (error) {
    await listener.close();
    throw error;
  }
  return async () => {
    // Closing the server removes the file of a socket.
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    try {
      await listener.close();
    } finally {
      grpc.forceShutdown();
      for (const socket of sockets) socket.destroy();
      book.close();
      await closed;
    }
  };
}

/** Passes calls of gRPC to a handler, and its answers back. */
class Listener {
  readonly #handler: Handler;
  readonly #book: PeerBook;
  readonly #options: ListenOptions;
  readonly #calls: Scope;

  constructor(handler: Handler, book: PeerBook, options: ListenOptions, calls: Scope) {
    this.#handler = handler;
    this.#book = book;
    this.#options = options;
    this.#calls = calls;
  }

  register(server: Server): void {
    for (const { path, kind } of this.#handler.methods) {
      if (kind === "call") {
        server.register<Buffer, Uint8Array>(
          path,
          (call: ServerUnaryCall<Buffer, Uint8Array>, answer: sendUnaryData<Uint8Array>) => {
            this.#call(call, path).then(
              (bytes) => answer(null, bytes),
              (error: unknown) => answer(toStatus(error)),
            );
          },
          asBuffer,
          asIs,
          "unary",
        );
      } else {
        server.register<Buffer, Uint8Array>(
          path,
          (call: ServerWritableStream<Buffer, Uint8Array>) => {
            this.#watch(call, path).then(
              () => call.end(),
              (error: unknown) => call.emit("error", toStatus(error)),
            );
          },
          asBuffer,
          asIs,
          "serverStream",
        );
      }
    }
  }

  async close(): Promise<void> {
    await this.#quietly(this.#calls, "close the listener");
  }

  async #call(call: ServerUnaryCall<Buffer, Uint8Array>, method: string): Promise<Uint8Array> {
    let scope: Scope | undefined;
    try {
      const connection = this.#connectionOf(call, method);
      const incoming = this.#arrive(call, connection, { method, defaultTimeoutMs: DEFAULT_TIMEOUT_MS });
      scope = incoming.scope;
      const { bytes, metadata } = await inTurn(connection, incoming, () => this.#handler.call(incoming));
      if (Object.keys(metadata).length > 0) call.sendMetadata(toMetadata(metadata));
      return bytes;
    } catch (error) {
      throw this.#crossing(error, method);
    } finally {
      if (scope) await this.#quietly(scope, method);
    }
  }

  /** Sends answers to the peer as fast as it takes them. */
  async #watch(call: ServerWritableStream<Buffer, Uint8Array>, method: string): Promise<void> {
    let scope: Scope | undefined;
    let answers: Watch<Uint8Array> | undefined;
    try {
      const connection = this.#connectionOf(call, method);
      const incoming = this.#arrive(call, connection, { method, defaultTimeoutMs: Infinity });
      scope = incoming.scope;
      answers = await inTurn(connection, incoming, () => this.#handler.watch(incoming));
      const opened = answers;
      scope.onEnd(() => opened.close());
      call.sendMetadata(new Metadata());
      for await (const answer of opened) {
        if (call.cancelled) break;
        if (!call.write(answer)) await roomIn(call);
      }
      if (this.#calls.ended) throw closingDown(method);
    } catch (error) {
      throw this.#crossing(error, method);
    } finally {
      answers?.close();
      if (scope) await this.#quietly(scope, method);
    }
  }

  #connectionOf(call: Call, method: string): PeerConnection {
    const connection = this.#book.find(takeConnection(call.metadata));
    if (connection) return connection;
    throw callerHasGone(method);
  }

  #arrive(
    call: Call,
    { peer }: PeerConnection,
    { method, defaultTimeoutMs }: { readonly method: string; readonly defaultTimeoutMs: number },
  ): IncomingMessage {
    if (this.#calls.ended) throw closingDown(method);
    const deadline = call.getDeadline();
    const leftMs = deadline === Infinity ? defaultTimeoutMs : Number(deadline) - Date.now();
    const scope = this.#calls.child(method, leftMs === Infinity ? {} : { timeoutMs: Math.max(0, leftMs) });
    call.on("cancelled", () => {
      this.#quietly(scope, method).catch((error: unknown) => this.#options.onError(error, method));
    });
    return {
      method,
      bytes: new Uint8Array(call.request),
      metadata: fromMetadata(call.metadata),
      peer,
      scope,
      deadlineMs: this.#options.clock.monotonicMs() + leftMs,
    };
  }

  #crossing(error: unknown, method: string): unknown {
    if (this.#calls.ended) return closingDown(method);
    if (!(error instanceof NetloomError)) this.#options.onError(error, method);
    return error;
  }

  /** Ends the call's scope. The outcome of the call is decided, so operating errors of its tasks are dropped. */
  async #quietly(scope: Scope, method: string): Promise<void> {
    try {
      await scope.end();
    } catch (error) {
      if (!(error instanceof NetloomError)) this.#options.onError(error, method);
    }
  }
}

/** Runs `work` when it is the peer's turn. */
async function inTurn<T>(
  { account }: PeerConnection,
  { method, scope }: IncomingMessage,
  work: () => T | Promise<T>,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    account.time.run(() => {
      if (scope.ended) return reject(callerHasGone(method));
      try {
        resolve(work());
      } catch (error) {
        reject(error);
      }
    });
  });
}

function callerHasGone(method: string): NetloomError {
  return new NetloomError("CANCELLED", `call ${method}: its caller has gone`);
}

async function roomIn(call: ServerWritableStream<Buffer, Uint8Array>): Promise<void> {
  await new Promise<void>((resolve) => {
    const go = (): void => {
      call.off("drain", go);
      call.off("cancelled", go);
      resolve();
    };
    call.on("drain", go);
    call.on("cancelled", go);
  });
}

function closingDown(method: string): NetloomError {
  return new NetloomError("UNAVAILABLE", `call ${method}: the other side is closing down`);
}

/** Adds the services that every listener has to a handler. */
export function withServices(handler: Handler, services: readonly Served[]): Handler {
  const added = serveAll(services);
  const paths = new Set(added.methods.map(({ path }) => path));
  return {
    methods: [...handler.methods, ...added.methods],
    call: (incoming) => (paths.has(incoming.method) ? added : handler).call(incoming),
    watch: (incoming) => (paths.has(incoming.method) ? added : handler).watch(incoming),
  };
}
