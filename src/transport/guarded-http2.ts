/**
 * HTTP/2 under a gRPC server, with limits for each peer. gRPC's own server takes everything; so connections and streams
 * come here first, and continue when there is room and it is the peer's turn.
 *
 *   socket ──> PeerBook: room? ──> session ──> stream ──> room? ──> turn ──> gRPC
 *
 * gRPC does not tell a handler on which connection a call came. So the connection's name travels in a header of each
 * stream, replacing whatever the peer sent in it.
 */
import { type Metadata, type Server, status } from "@grpc/grpc-js";
import type { EventEmitter } from "node:events";
import {
  constants,
  createServer,
  type Http2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { Duplex } from "node:stream";
import type { PeerBook, PeerConnection } from "./peer-book.ts";

/** Streams of a connection; `PeerLimits.watches` is lower, so that watches leave room for calls. */
const MAX_STREAMS = 4_096;

const OPTIONS = {
  // Megabytes that a connection may use in this process.
  maxSessionMemory: 64,
  maxSessionInvalidFrames: 100,
  streamResetRate: 500,
  settings: { enablePush: false, maxConcurrentStreams: MAX_STREAMS, maxHeaderListSize: 32 * 1024 },
} as const;

/** Header with the connection of a stream. */
const CONNECTION = "netloom-connection";

export interface GuardOptions {
  readonly book: PeerBook;
  /** Returns whether a method answers with a stream. */
  readonly isWatch: (path: string) => boolean;
}

/** Reads the connections of the book, and passes their calls to `grpc`. */
export function guardedHttp2(
  grpc: Server,
  options: GuardOptions,
): (socket: Duplex, connection: PeerConnection) => void {
  const inner = http2Of(grpc);
  const { book } = options;
  const http2 = createServer({ ...OPTIONS, streamResetBurst: book.limits.resets });
  const connections = new WeakMap<Http2Session, PeerConnection>();
  let arriving: PeerConnection | undefined;
  http2.on("session", (session: ServerHttp2Session) => {
    if (!arriving) return session.destroy();
    connections.set(session, arriving);
    requireFirstFrame(session, arriving, book);
    inner.emit("session", session);
  });
  http2.on("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    // A peer may reset a stream while it waits: that is not an error here.
    stream.on("error", () => undefined);
    const connection = stream.session && connections.get(stream.session);
    if (connection) new GuardedStream(stream, headers, connection, options).admit(inner);
    else stream.close(constants.NGHTTP2_REFUSED_STREAM);
  });
  return (socket, connection) => {
    // Node makes the session before this returns.
    arriving = connection;
    http2.emit("connection", socket);
    arriving = undefined;
  };
}

/** Takes the connection's name out of a call's metadata. */
export function takeConnection(metadata: Metadata): string {
  const [name] = metadata.get(CONNECTION);
  metadata.remove(CONNECTION);
  return String(name);
}

/** The settings of a client are the first frame of every connection (RFC 9113 section 3.4). */
function requireFirstFrame(session: ServerHttp2Session, { peer }: PeerConnection, book: PeerBook): void {
  const timer = setTimeout(() => {
    book.warn(peer, "closed a connection: it has not begun to speak HTTP/2");
    session.destroy();
  }, book.limits.readTimeoutMs).unref();
  session.once("remoteSettings", () => clearTimeout(timer));
  session.once("close", () => clearTimeout(timer));
}

/** One stream, from its headers to its end. */
class GuardedStream {
  readonly #stream: ServerHttp2Stream;
  readonly #headers: IncomingHttpHeaders;
  readonly #connection: PeerConnection;
  readonly #book: PeerBook;
  readonly #path: string;
  readonly #isWatch: boolean;
  #heldBytes = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    stream: ServerHttp2Stream,
    headers: IncomingHttpHeaders,
    connection: PeerConnection,
    { book, isWatch }: GuardOptions,
  ) {
    this.#stream = stream;
    this.#headers = Object.assign(headers, { [CONNECTION]: connection.peer.connection });
    this.#connection = connection;
    this.#book = book;
    this.#path = String(headers[":path"]).slice(0, 256);
    this.#isWatch = isWatch(this.#path);
  }

  admit(inner: EventEmitter): void {
    const { account } = this.#connection;
    const { streams, watches } = this.#book.limits;
    this.#book.opened(account);
    account.streams += 1;
    if (this.#isWatch) account.watches += 1;
    this.#stream.once("close", () => {
      account.streams -= 1;
      if (this.#isWatch) account.watches -= 1;
      this.#release();
    });
    if (account.streams > streams)
      return this.#turnAway(`this peer has ${streams} calls under way here, as many as are allowed`);
    if (this.#isWatch && account.watches > watches)
      return this.#turnAway(`this peer has ${watches} streams open here, as many as are allowed`);
    account.time.run(() => {
      if (!this.#stream.destroyed && !this.#stream.closed) this.#start(inner);
    });
  }

  #turnAway(why: string): void {
    const { account, peer } = this.#connection;
    if (!account.time.isSpent) return this.#refuse(status.RESOURCE_EXHAUSTED, why);
    this.#book.warn(peer, `closed a connection: ${why}, and it goes on opening more`);
    this.#stream.session?.destroy();
  }

  #start(inner: EventEmitter): void {
    const { readTimeoutMs } = this.#book.limits;
    this.#timer = setTimeout(
      () =>
        this.#refuse(
          status.DEADLINE_EXCEEDED,
          `the request has not come to its end within ${readTimeoutMs / 1000} s`,
        ),
      readTimeoutMs,
    ).unref();
    this.#stream.once("end", () => this.#release());
    inner.emit("stream", this.#stream, this.#headers);
    // After gRPC, which has paused the stream: otherwise this listener would start it.
    this.#stream.on("data", (bytes: Buffer) => this.#hold(bytes.length));
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    if (!this.#book.hold(this.#connection.account, bytes))
      this.#refuse(status.RESOURCE_EXHAUSTED, "too much of this peer's requests has come without their ends");
  }

  #release(): void {
    clearTimeout(this.#timer);
    if (this.#heldBytes > 0) this.#book.hold(this.#connection.account, -this.#heldBytes);
    this.#heldBytes = 0;
  }

  #refuse(code: number, why: string): void {
    this.#book.warn(this.#connection.peer, `refused ${this.#path}: ${why}`);
    this.#release();
    const stream = this.#stream;
    if (stream.destroyed || stream.closed) return;
    if (!stream.headersSent) {
      stream.respond(
        {
          ":status": 200,
          "content-type": "application/grpc",
          "grpc-status": code,
          "grpc-message": encodeURI(`call ${this.#path}: ${why}`),
        },
        { endStream: true },
      );
    }
    stream.close(constants.NGHTTP2_NO_ERROR);
  }
}

/**
 * gRPC accepts only sockets, for which it makes sessions with its own options; this reaches its HTTP/2 server to pass
 * sessions.
 */
function http2Of(grpc: Server): EventEmitter {
  const { http2Servers } = grpc as unknown as { readonly http2Servers: ReadonlyMap<EventEmitter, unknown> };
  const [inner] = http2Servers.keys();
  if (!inner?.listenerCount("stream")) throw new Error("grpc-js has changed: its HTTP/2 server is not found");
  return inner;
}
